using System.Collections.Concurrent;
using System.Security.Cryptography;
using Kvasir.Formats;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference.Model;

/// <summary>
/// Digests of the pieces of tensors, taken while those are read to be packed: a model's digest is then there without reading it twice.
/// </summary>
sealed class PieceDigests
{
    /// <summary>Tensors are hashed in pieces, because a single digest could use only one processor. Fingerprints depend on it.</summary>
    public const int PieceBytes = 4 << 20;

    readonly ConcurrentDictionary<(string Tensor, long FirstRow), Digest> _digests = new();

    /// <summary>The first rows of a tensor's pieces.</summary>
    public static IEnumerable<long> FirstRows(StoredTensor tensor)
    {
        for (long row = 0; row < tensor.Rows; row += WeightPacking.RowsOfPiece(tensor, PieceBytes))
            yield return row;
    }

    /// <summary>Takes a piece's digest.</summary>
    public void Add(StoredTensor tensor, long firstRow, ReadOnlySpan<byte> rows) =>
        _digests[(tensor.Name, firstRow)] = new Digest(SHA256.HashData(rows));

    /// <summary>A piece's digest, which is taken now where it has not been.</summary>
    /// <param name="source">Where the tensor is stored.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="firstRow">One of <see cref="FirstRows"/>.</param>
    /// <param name="buffer">Receives the rows where they have to be read; grows.</param>
    public Digest Of(ITensorSource source, StoredTensor tensor, long firstRow, ref byte[]? buffer)
    {
        if (_digests.TryGetValue((tensor.Name, firstRow), out Digest known))
            return known;
        long rows = Math.Min(WeightPacking.RowsOfPiece(tensor, PieceBytes), tensor.Rows - firstRow);
        int length = checked((int)(rows * tensor.RowBytes));
        if (buffer is null || buffer.Length < length)
            buffer = new byte[length];
        Span<byte> bytes = buffer.AsSpan(0, length);
        source.Read(tensor, firstRow, bytes);
        return new Digest(SHA256.HashData(bytes));
    }
}
