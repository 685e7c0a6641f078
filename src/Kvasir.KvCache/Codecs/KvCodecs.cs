using System.Diagnostics.CodeAnalysis;

namespace Kvasir.KvCache.Codecs;

/// <summary>Codecs by name.</summary>
public static class KvCodecs
{
    static readonly IKvCodec[] s_all = [F16Codec.Instance, F32Codec.Instance, Q8_0Codec.Instance, Q4_0Codec.Instance];

    /// <summary>Names that <see cref="TryParse"/> knows.</summary>
    public static IEnumerable<string> Names => s_all.Select(codec => codec.Name);

    /// <summary>The codec of a name.</summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out IKvCodec? codec) =>
        (codec = Array.Find(s_all, known => known.Name == name)) is not null;
}
