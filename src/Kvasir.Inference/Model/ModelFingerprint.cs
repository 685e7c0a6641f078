using System.Runtime.InteropServices;
using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
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

    /// <summary>
    /// The digest of what is computed with: every tensor by its name, and the description. A file and a folder of one model have the same,
    /// whatever else they say, in whatever order. Vectors count as floats, which is what they are computed as.
    /// </summary>
    /// <param name="source">The tensors.</param>
    /// <param name="spec">The description.</param>
    /// <param name="known">What has been hashed of the tensors already.</param>
    public static Digest DigestOf(ITensorSource source, ModelSpec spec, PieceDigests known)
    {
        StoredTensor[] tensors = [.. source.Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)];
        (StoredTensor Tensor, long FirstRow)[] starts = [.. tensors.Where(IsMatrix)
            .SelectMany(tensor => PieceDigests.FirstRows(tensor).Select(row => (tensor, row)))];
        var pieces = new Digest[starts.Length];
        using (var pool = new ComputePool(Math.Min(Environment.ProcessorCount, Math.Max(1, pieces.Length))))
        {
            var job = new HashPieces(source, starts, known, pieces, new byte[pool.Threads][]);
            pool.Run(ref job, pieces.Length);
        }
        using var hasher = new FieldHasher();
        hasher.Add(JsonSerializer.SerializeToUtf8Bytes(Computed(spec), SpecJson.Default.ModelSpec)).Add(tensors.Length);
        int next = 0;
        foreach (StoredTensor tensor in tensors)
        {
            hasher.Add(tensor.Name).Add(IsMatrix(tensor) ? tensor.Type.DisplayName() : "f32").Add(tensor.ShapeText);
            if (!IsMatrix(tensor))
                hasher.Add(MemoryMarshal.AsBytes<float>(Floats(source, tensor)));
            for (; next < starts.Length && starts[next].Tensor == tensor; next++)
                hasher.Add(pieces[next]);
        }
        return hasher.Finish();
    }

    static bool IsMatrix(StoredTensor tensor) => tensor.Shape.Length > 1;

    static float[] Floats(ITensorSource source, StoredTensor vector)
    {
        float[] values = new float[vector.Elements];
        RowFormat.Dequantize(vector.Type, source.ReadRow(vector, 0), values);
        return values;
    }

    /// <summary>The description without names, and without what does not change what is computed.</summary>
    static ModelSpec Computed(ModelSpec spec) => spec with
    {
        Name = "",
        Source = "",
        Context = 0,
        Parameters = null,
        ActiveParameters = null,
        Experts = null,
        WeightBytes = null,
        Notes = [],
    };

    /// <summary>The fingerprint of a model with a layout, and with a host tier that stores blocks otherwise, if it does.</summary>
    /// <param name="model">The model's digest.</param>
    /// <param name="layout">How its keys and values lie in blocks.</param>
    /// <param name="hostCodec">How the host stores them, if otherwise.</param>
    /// <param name="isLong">Whether positions are rotated as in a long context, by a model that makes a difference.</param>
    /// <param name="backend">What computes, where it is not the CPU, whose bits differ.</param>
    public static Fingerprint Of(Digest model, KvLayout layout, IKvCodec? hostCodec, bool isLong = false, string? backend = null)
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
        if (backend is not null)
            hasher.Add(-2).Add(backend);
        return new Fingerprint(hasher.Finish());
    }

    readonly struct HashPieces(
        ITensorSource source, (StoredTensor Tensor, long FirstRow)[] starts, PieceDigests known, Digest[] pieces, byte[]?[] buffers)
        : IComputeJob
    {
        public void Run(int piece, int thread) =>
            pieces[piece] = known.Of(source, starts[piece].Tensor, starts[piece].FirstRow, ref buffers[thread]);
    }
}
