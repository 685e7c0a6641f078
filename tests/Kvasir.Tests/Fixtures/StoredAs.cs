using Kvasir.Inference;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Tests.Fixtures;

/// <summary>Engines by how they store keys and values.</summary>
static class StoredAs
{
    /// <summary>As they are.</summary>
    public static EngineOptions Floats { get; } = Both(F32Codec.Instance);

    public static EngineOptions Both(IKvCodec codec) => new() { KvKeyCodec = codec, KvValueCodec = codec };

    public static IKvCodec Codec(string name) => KvCodecs.TryParse(name, out IKvCodec? codec) ? codec : throw new ArgumentException(name);
}
