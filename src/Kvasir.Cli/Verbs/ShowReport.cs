using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Model;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>show</c> knows of a model file. Sizes are in bytes.</summary>
sealed record ShowReport(
    string File, long FileBytes, uint? GgufVersion, string? Name, string? Architecture, string? License,
    string? ChatTemplate, string? NotRunnable,
    ShowConfig? Config, long Parameters, IReadOnlyList<ShowType> Types, IReadOnlyList<ShowKv> KvBytesPerToken,
    IReadOnlyList<ShowTensor> Tensors)
{
    public static ShowReport Of(IModelFile file, ModelSpec? spec, string? chatTemplate, string? notRunnable) => new(
        file.Path, file.Length, (file as GgufFile)?.Version ?? (file as GgufShards)?.Version,
        file.Metadata.GetString("general.name", null), file.Metadata.GetString("general.architecture", null),
        file.Metadata.GetString("general.license", null),
        chatTemplate, notRunnable,
        spec is null ? null : ShowConfig.Of(spec),
        file.Tensors.Sum(tensor => tensor.Elements),
        [.. file.Tensors.GroupBy(tensor => tensor.Type).OrderByDescending(type => type.Sum(tensor => tensor.ByteLength))
            .Select(type => new ShowType(type.Key.DisplayName(), type.Count(), type.Sum(tensor => tensor.ByteLength)))],
        spec is null ? [] : [.. ((string[])["f16", "f32"]).Select(type => ShowKv.Of(spec, type))],
        [.. file.Tensors.Select(tensor => new ShowTensor(tensor.Name, tensor.Type.DisplayName(), tensor.Shape, tensor.ByteLength))]);
}

/// <summary>What the file says of the model. What differs from layer to layer is null here and in the groups.</summary>
sealed record ShowConfig(
    int Layers, int Width, int? FeedForward, int? Heads, int? KvHeads, int? HeadDim, int Context, int Vocabulary, float? NormEpsilon,
    float? RopeBase, int? RopeDims, int? Window, int WindowedLayers, int KvLayers, bool TiedOutput,
    IReadOnlyList<string> Scales, IReadOnlyList<ShowLayers> Groups)
{
    public static ShowConfig Of(ModelSpec spec)
    {
        IReadOnlyList<ShowLayers> groups = ShowLayers.Of(spec);
        return new ShowConfig(
            spec.Layers.Length, spec.Width, Same(layer => layer.FeedForward), Same(layer => layer.Heads), Same(layer => layer.KvHeads),
            Same(layer => layer.KeyDim) is { } dim && Same(layer => layer.ValueDim) == dim ? dim : null, spec.Context, spec.Vocabulary,
            spec.Norm.Epsilon, Same(layer => layer.RopeBase), Same(layer => layer.RopeDims), groups.Min(layer => layer.Window),
            groups.Where(layer => layer.Window is not null).Sum(layer => layer.Layers.Count),
            groups.Where(layer => layer is { SharesKv: false, Heads: not null }).Sum(layer => layer.Layers.Count),
            spec.IsTied, [.. ScalesOf(spec)], groups);

        T? Same<T>(Func<ShowLayers, T?> fact) where T : struct =>
            groups.Select(fact).Distinct().Count() == 1 ? fact(groups[0]) : null;
    }

    /// <summary>Factors and caps, in words.</summary>
    static IEnumerable<string> ScalesOf(ModelSpec spec)
    {
        if (spec.EmbeddingScale is { } embedding)
            yield return FormattableString.Invariant($"embeddings × {embedding:0.####}");
        if (spec.ResidualScale is { } residual)
            yield return FormattableString.Invariant($"sublayers × {residual:0.####}");
        foreach (float scale in spec.Attention.Select(layer => layer.Scale).OfType<float>().Distinct())
            yield return FormattableString.Invariant($"scores × {scale:0.####}");
        foreach (float cap in spec.Attention.Select(layer => layer.Softcap).OfType<float>().Distinct())
            yield return FormattableString.Invariant($"scores within ±{cap:0.####}");
        if (spec.LogitScale is { } logits)
            yield return FormattableString.Invariant($"logits scaled by {logits:0.####}");
        if (spec.LogitSoftcap is { } most)
            yield return FormattableString.Invariant($"logits within ±{most:0.####}");
    }
}

sealed record ShowType(string Type, int Tensors, long Bytes);

sealed record ShowKv(string Codec, long Bytes)
{
    public static ShowKv Of(ModelSpec spec, string type) => new(type, new KvSize(spec, ElementType.Find(type, ElementType.OfKv)!).PerToken);
}

sealed record ShowTensor(string Name, string Type, IReadOnlyList<long> Shape, long Bytes);
