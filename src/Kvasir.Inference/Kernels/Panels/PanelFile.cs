using System.Buffers.Binary;
using System.IO.Hashing;
using Kvasir.Formats;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// The panels of all of a model's matrices in a file, one after the other as they lie in memory, behind a page that says which they are.
/// Little-endian:
/// <code>
///   0  magic "KVASIRPW"       16  bytes of panels (64)        32  what they were packed of     96  XxHash3 of all before (64)
///   8  version (64)           24  sum of panels (64)          64  the model's digest
/// </code>
/// The sum is that of each panel's XxHash3, whose seed is where the panel begins: panels may be summed in any order, and none may lie
/// elsewhere.
/// </summary>
/// <param name="Origin">What they were packed of.</param>
/// <param name="Bytes">Bytes of all panels.</param>
/// <param name="Sum">Their sum.</param>
/// <param name="Model">The model's digest.</param>
readonly record struct PanelFile(Digest Origin, long Bytes, ulong Sum, Digest Model)
{
    /// <summary>Where panels begin.</summary>
    public const int HeaderBytes = 4096;

    const ulong Magic = 0x5750_5249_5341_564B; // "KVASIRPW"
    const int VersionAt = 8, BytesAt = 16, SumAt = 24, OriginAt = 32, ModelAt = 64, ChecksumAt = 96;

    /// <summary>To be raised whenever a panel's bytes may come out otherwise than before.</summary>
    const long Version = 1;

    /// <summary>A panel's part of the sum.</summary>
    public static ulong SumOf(ReadOnlySpan<byte> panel, long offset) => XxHash3.HashToUInt64(panel, offset);

    public byte[] ToBytes()
    {
        byte[] header = new byte[HeaderBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(VersionAt), Version);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(BytesAt), Bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(SumAt), Sum);
        Origin.CopyTo(header.AsSpan(OriginAt));
        Model.CopyTo(header.AsSpan(ModelAt));
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(ChecksumAt), XxHash3.HashToUInt64(header.AsSpan(0, ChecksumAt)));
        return header;
    }

    /// <summary>Maps a file of panels, which are not looked at here.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="origin">What the panels must have been packed of.</param>
    /// <param name="bytes">How many bytes they must have.</param>
    /// <param name="header">What the file says of itself.</param>
    /// <returns>The panels' memory, or null where there is no such file or something else in it.</returns>
    public static WeightMemory? Map(string path, Digest origin, long bytes, out PanelFile header)
    {
        header = default;
        if (!File.Exists(path))
            return null;
        MappedFile? file = null;
        try
        {
            file = MappedFile.Open(path, "packed weights");
            if (file.Length == HeaderBytes + bytes && Parse(file) is { } said && said.Origin == origin && said.Bytes == bytes)
            {
                header = said;
                return new WeightMemory(Interlocked.Exchange(ref file, null), HeaderBytes);
            }
        }
        catch (ModelFormatException) // gone, or unreadable: as good as none
        {
        }
        finally
        {
            file?.Dispose();
        }
        return null;
    }

    static unsafe PanelFile? Parse(MappedFile file)
    {
        var header = new ReadOnlySpan<byte>(file.Start, HeaderBytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(header) == Magic
            && BinaryPrimitives.ReadInt64LittleEndian(header[VersionAt..]) == Version
            && BinaryPrimitives.ReadUInt64LittleEndian(header[ChecksumAt..]) == XxHash3.HashToUInt64(header[..ChecksumAt])
            ? new PanelFile(
                new Digest(header.Slice(OriginAt, Digest.Size)),
                BinaryPrimitives.ReadInt64LittleEndian(header[BytesAt..]),
                BinaryPrimitives.ReadUInt64LittleEndian(header[SumAt..]),
                new Digest(header.Slice(ModelAt, Digest.Size)))
            : null;
    }
}
