using System.IO.Hashing;

namespace Kvasir.Cluster.Routing;

/// <summary>Cuts bytes into pieces, and chains their hashes: each covers its piece and all before it.</summary>
/// <param name="root">What the first piece stands on.</param>
ref struct PieceHasher(ulong root)
{
    /// <summary>Bytes of a piece: about four blocks of 16 tokens.</summary>
    public const int PieceBytes = 256;

    const int MostPieces = 8192; // what comes behind 2 MiB tells no prompts apart any more

    readonly byte[] _piece = new byte[PieceBytes];
    readonly List<ulong> _hashes = [];
    ulong _last = root;
    int _filled;

    /// <summary>Bytes so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Hashes of the whole pieces so far.</summary>
    public readonly ulong[] Hashes => [.. _hashes];

    /// <summary>A hash of everything so far.</summary>
    public readonly ulong Now => XxHash3.HashToUInt64(_piece.AsSpan(0, _filled), (long)_last);

    public void Append(byte value) => Append([value]);

    public void Append(scoped ReadOnlySpan<byte> bytes)
    {
        Bytes += bytes.Length;
        while (bytes.Length > 0 && _hashes.Count < MostPieces)
        {
            int taken = Math.Min(bytes.Length, PieceBytes - _filled);
            bytes[..taken].CopyTo(_piece.AsSpan(_filled));
            bytes = bytes[taken..];
            _filled += taken;
            if (_filled < PieceBytes)
                return;
            _hashes.Add(_last = Now);
            _filled = 0;
        }
    }
}
