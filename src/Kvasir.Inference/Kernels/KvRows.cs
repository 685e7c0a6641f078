using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference.Kernels;

/// <summary>How the keys, or the values, of one KV head are stored.</summary>
/// <param name="dim">Elements of a row.</param>
/// <param name="codec">How a row is stored.</param>
readonly struct KvRows(int dim, IKvCodec codec)
{
    /// <summary>How a row is stored, after it was rotated, if it was.</summary>
    public readonly IKvCodec Codec = codec is RotatedCodec rotated ? rotated.Inner : codec;

    /// <summary>Whether rows are rotated: what meets them has to be, too.</summary>
    public readonly bool AreRotated = codec is RotatedCodec;

    public readonly int Dim = dim, Padded = FloatRows.PadToLanes(dim), Bytes = codec.RowBytes(dim);

    /// <summary>Whether rows are halves that fill whole vectors, two at a time.</summary>
    public readonly bool AreHalves = codec is F16Codec or RotatedCodec { Inner: F16Codec } && dim % 32 == 0;
}
