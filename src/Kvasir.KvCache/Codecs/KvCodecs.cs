using System.Diagnostics.CodeAnalysis;

namespace Kvasir.KvCache.Codecs;

/// <summary>Codecs by name.</summary>
public static class KvCodecs
{
    static readonly IKvCodec[] s_plain =
    [
        F32Codec.Instance, F16Codec.Instance, BF16Codec.Instance, Q8_0Codec.Instance, Q5_0Codec.Instance, Q4_0Codec.Instance,
        Q3Codec.Instance, Q2Codec.Instance,
    ];

    static readonly IKvCodec[] s_all = [.. s_plain, .. s_plain.Select(codec => new RotatedCodec(codec))];

    /// <summary>
    /// Names that <see cref="TryParse"/> knows, those of rotated codecs left out: <c>q4_0</c> stands for <c>q4_0+h</c>, too.
    /// </summary>
    public static IEnumerable<string> Names => s_plain.Select(codec => codec.Name);

    /// <summary>All codecs, each also rotated.</summary>
    public static IEnumerable<IKvCodec> All => s_all;

    /// <summary>The codec of a name; <c>q5</c> is <c>q5_0</c>.</summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out IKvCodec? codec) =>
        (codec = Array.Find(s_all, known => known.Name == name || name == "q5" && known is Q5_0Codec)) is not null;

    /// <summary>
    /// Whether a codec loses less when it stores rows rotated: where a value has less than eight bits, one that is far above the others
    /// leaves them too few. More bits hold both.
    /// </summary>
    public static bool GainsByRotation(IKvCodec codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        return codec.RowBytes(ScaledGroup.Elements) < ScaledGroup.Elements;
    }

    /// <summary>The same codec for rotated rows.</summary>
    public static IKvCodec Rotated(IKvCodec codec)
    {
        ArgumentNullException.ThrowIfNull(codec);
        return codec is RotatedCodec ? codec : new RotatedCodec(codec);
    }
}
