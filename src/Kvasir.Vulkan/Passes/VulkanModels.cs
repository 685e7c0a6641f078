using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Vulkan.Passes;

/// <summary>What of that which the CPU computes is computed on a device, too. Everything else is refused by name.</summary>
static class VulkanModels
{
    /// <exception cref="ArgumentException">The model or an option is none that is computed; one line names it.</exception>
    public static void Check(string device, ModelSpec model, EngineOptions options)
    {
        foreach ((string what, string seen, string expected) in OfOptions(model, options).Concat(model.Attention.SelectMany(OfAttention))
            .Concat(model.Layers.SelectMany(OfNetwork)))
            throw new ArgumentException($"{what}: {seen} is not computed on {device}, expected {expected}, or the CPU (--device cpu)");
    }

    static IEnumerable<(string What, string Seen, string Expected)> OfOptions(ModelSpec model, EngineOptions options)
    {
        if (options.KvKeyCodec != F16Codec.Instance)
            yield return ("KV type of keys", options.KvKeyCodec.Name, "f16");
        if (options.KvValueCodec != F16Codec.Instance)
            yield return ("KV type of values", options.KvValueCodec.Name, "f16");
        if (options.KvRetention is { } retention)
            yield return ("retention", $"{retention}", "none");
        if (options.PrefillChunk > DeviceMatrix.MostGroups)
            yield return ("prefill chunk", $"{options.PrefillChunk}", $"at most {DeviceMatrix.MostGroups}");
        if (ContextRoom.Of(model, options) is { Streams: true } room)
            yield return ("KV device bytes", $"{options.KvDeviceBytes:N0}, from which the rest of a context would be streamed,",
                $"at least {room.PoolBytes:N0} for {room.Context:N0} tokens");
    }

    static IEnumerable<(string What, string Seen, string Expected)> OfNetwork(LayerSpec layer)
    {
        if (layer.FeedForward is { Experts: > 0 and var experts })
            yield return ("feed-forward", $"a mixture of {experts} experts", "one network for all tokens");
    }

    static IEnumerable<(string What, string Seen, string Expected)> OfAttention(AttentionSpec attention)
    {
        if (attention.HasSinks)
            yield return ("attention", "a sink for each query head", "none");
        if (attention.Temperature is not null)
            yield return ("attention", "a temperature that grows with the position", "none");
        if (attention.KeyDim % 2 != 0 || attention.ValueDim % 2 != 0 || attention.ValueDim is < 2 or > PassKernels.MostValueDim)
            yield return ("attention", $"a key of {attention.KeyDim} and a value of {attention.ValueDim} numbers",
                $"even ones, up to {PassKernels.MostValueDim}");
    }
}
