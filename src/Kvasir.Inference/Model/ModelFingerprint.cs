using System.Security.Cryptography;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference.Model;

/// <summary>
/// What, besides tokens, determines a model's keys and values here, made from contents: a renamed file is the
/// same model, a changed one another.
/// </summary>
static class ModelFingerprint
{
    /// <summary>To be raised whenever any bit of a key or value may come out otherwise than before.</summary>
    const int NumericsVersion = 1;

    const int PieceBytes = 4 << 20;

    /// <summary>
    /// The digest of the whole file: weights, tokenizer, geometry and rotary settings. It is that of the digests of its pieces, because a
    /// single one could use only one processor.
    /// </summary>
    public static Digest DigestOf(GgufFile file)
    {
        var pieces = new Digest[(file.Length + PieceBytes - 1) / PieceBytes];
        using (var pool = new ComputePool(Math.Min(Environment.ProcessorCount, pieces.Length)))
        {
            var job = new HashPieces(file, pieces, new byte[pool.Threads][]);
            pool.Run(ref job, pieces.Length);
        }
        using var hasher = new FieldHasher();
        hasher.Add(file.Length);
        foreach (Digest piece in pieces)
            hasher.Add(piece);
        return hasher.Finish();
    }

    /// <summary>The fingerprint of a model with a layout, and with a host tier that stores blocks otherwise, if it does.</summary>
    /// <param name="model">The model's digest.</param>
    /// <param name="layout">How its keys and values lie in blocks.</param>
    /// <param name="hostCodec">How the host stores them, if otherwise.</param>
    /// <param name="isLong">Whether positions are rotated as in a long context, by a model that makes a difference.</param>
    public static Fingerprint Of(Digest model, KvLayout layout, IKvCodec? hostCodec, bool isLong = false)
    {
        using var hasher = new FieldHasher();
        hasher.Add(NumericsVersion).Add(model).Add(layout.CodecName).Add(hostCodec?.Name ?? layout.CodecName)
            .Add(layout.BlockTokens).Add(layout.Layers.Length);
        foreach (KvLayer layer in layout.Layers)
            hasher.Add(layer.KvHeads).Add(layer.KeyDim).Add(layer.Producer).Add((layer.State as LayerState.Window)?.Tokens ?? 0);
        foreach ((int index, KvLayer layer) in layout.Layers.Index())
            if (layer.ValueDim != layer.KeyDim) // no word of it where both are alike: those fingerprints are older
                hasher.Add(index).Add(layer.ValueDim);
        if (isLong)
            hasher.Add(-1); // no layer's index
        return new Fingerprint(hasher.Finish());
    }

    readonly struct HashPieces(GgufFile file, Digest[] pieces, byte[][] buffers) : IComputeJob
    {
        public void Run(int piece, int thread)
        {
            long offset = (long)piece * PieceBytes;
            buffers[thread] ??= new byte[Math.Min(PieceBytes, file.Length)];
            Span<byte> bytes = buffers[thread].AsSpan(0, (int)Math.Min(PieceBytes, file.Length - offset));
            file.Read(offset, bytes);
            pieces[piece] = new Digest(SHA256.HashData(bytes));
        }
    }
}
