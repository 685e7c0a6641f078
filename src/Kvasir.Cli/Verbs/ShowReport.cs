using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Model;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>show</c> knows of a model file. Sizes are in bytes.</summary>
sealed record ShowReport(
    string File, long FileBytes, uint GgufVersion, string? Name, string? Architecture, string? License, string? ChatFormat, string? NotRunnable,
    ShowConfig? Config, long Parameters, IReadOnlyList<ShowType> Types, IReadOnlyList<ShowKv> KvBytesPerToken, IReadOnlyList<ShowTensor> Tensors)
{
    public static ShowReport Of(GgufFile file, ModelConfig? config, string? chatFormat, string? notRunnable) => new(
        file.Path, file.Length, file.Version,
        file.Metadata.GetString("general.name", null), file.Metadata.GetString("general.architecture", null), file.Metadata.GetString("general.license", null),
        chatFormat, notRunnable,
        config is null ? null : ShowConfig.Of(config, tiedOutput: !file.TryGetTensor("output.weight", out _)),
        file.Tensors.Sum(tensor => tensor.Elements),
        [.. file.Tensors.GroupBy(tensor => tensor.Type).OrderByDescending(type => type.Sum(tensor => tensor.ByteLength))
            .Select(type => new ShowType(type.Key.DisplayName(), type.Count(), type.Sum(tensor => tensor.ByteLength)))],
        config is null ? [] : [.. new IKvCodec[] { F16Codec.Instance, F32Codec.Instance }.Select(codec => ShowKv.Of(config, codec))],
        [.. file.Tensors.Select(tensor => new ShowTensor(tensor.Name, tensor.Type.DisplayName(), tensor.Shape, tensor.ByteLength))]);
}

sealed record ShowConfig(
    int Layers, int Width, int FeedForward, int Heads, int KvHeads, int HeadDim, int Context, int Vocabulary, float NormEpsilon, float RopeBase,
    int RopeDims, int? Window, int WindowedLayers, int KvLayers, bool TiedOutput)
{
    public static ShowConfig Of(ModelConfig config, bool tiedOutput) => new(
        config.Layers, config.Width, config.FeedForward, config.Heads, config.KvHeads, config.HeadDim, config.Context, config.Vocabulary,
        config.NormEpsilon, config.RopeBase, config.RopeDims, config.Windows.Min(), config.Windows.Count(window => window is not null),
        config.Producers.Distinct().Count(), tiedOutput);
}

sealed record ShowType(string Type, int Tensors, long Bytes);

sealed record ShowKv(string Codec, long Bytes)
{
    public static ShowKv Of(ModelConfig config, IKvCodec codec) => new(codec.Name, new KvLayout(16, codec, config.KvLayers).BytesPerToken);
}

sealed record ShowTensor(string Name, string Type, IReadOnlyList<long> Shape, long Bytes);
