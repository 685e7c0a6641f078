using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference.Kernels;

/// <summary>How the keys, or the values, of one KV head are stored.</summary>
/// <param name="dim">Elements of a row.</param>
/// <param name="codec">How a row is stored.</param>
readonly struct KvRows(int dim, IKvCodec codec)
{
    public readonly IKvCodec Codec = codec;
    public readonly int Dim = dim, Padded = FloatRows.PadToLanes(dim), Bytes = codec.RowBytes(dim);

    /// <summary>Whether rows are halves that fill whole vectors, two at a time.</summary>
    public readonly bool AreHalves = codec is F16Codec && dim % 32 == 0;
}
