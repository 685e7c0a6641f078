using Kvasir.Cli.Output;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>What a reader of an estimate should know beside the numbers.</summary>
static class EstimateNotes
{
    public static IEnumerable<string> Of(EstimateRequest request)
    {
        ModelSpec spec = request.Spec;
        string[] left = [.. request.Types.Where(type => !type.Holds(spec)).Select(type => type.Name)];
        if (left.Length > 0)
            yield return $"left out: {string.Join(", ", left)}, whose groups do not divide this model's heads";
        if (spec.Attention.Any(layer => layer.IsLatent))
            yield return "one latent is both key and value (MLA): it counts once, and every device of a tensor-parallel group holds all of it";
        if (spec.Attention.Any(layer => layer.Window is not null))
            yield return (request.Retention == KvRetention.Everything && new KvSize(spec, request.Type).WindowBlockBytes > 0
                ? "Kvasir: sliding layers have blocks of their own, those that a window lies in; a pool has room besides for what a "
                    + "pass writes, 256 tokens. "
                : "Kvasir's blocks hold all layers here: windows save reading and not room. ")
                + "llama.cpp: cells in multiples of 256, of sliding layers window + 512";
        if (spec.Layers.Where((layer, i) => layer.Attention is { } attention && attention.Producer != i).Count() is > 0 and int readers)
            yield return $"{readers} of {spec.Layers.Length} layers read another's cache: that saves room, but a step reads it again for "
                + $"each of them";
        if (spec.Layers.Sum(layer => layer.StateElements * sizeof(float)) is > 0 and long bytes)
            yield return $"{spec.Layers.Count(layer => layer.StateElements > 0)} of {spec.Layers.Length} layers carry a state: "
                + $"{ByteSize.Text(bytes)} for a sequence of any length, counted above; blocks and tiers hold keys and values only";
        if (request.Retention.Policy is { } policy)
        {
            yield return "a view is made when the prompt has been computed: until then everything is there, and the prefix itself stays in the "
                + "tiers, which are sized for everything";
            if (request.Contexts.Any(context => context < policy.Minimum))
                yield return $"prefixes shorter than {policy.Minimum:N0} tokens are kept whole";
        }
        if (request.Devices > 1 && spec.Attention.Any(layer => !layer.IsLatent && layer.KvHeads < request.Devices))
            yield return $"{request.Devices} devices share fewer KV heads: some hold the same ones";
        if (request.Memory is not null && request.Weights is null)
            yield return "the weights' size is not known: nothing is subtracted from the memory; --weights SIZE says it";
        if (request.Memory < request.Weights?.Bytes / request.Devices)
            yield return "the weights alone are larger than the memory";
        foreach (EstimateStreaming row in EstimateStreaming.Of(request).Where(row => row.Problem is not null))
            yield return row.Problem!;
        if (EstimateStreaming.Of(request).Any(row => row is { Problem: null, StepSeconds: null }))
            yield return "how long a step takes is not known: `kvasir limits` measures memory and disk of this machine";
        if (request.Flops is not null)
            yield return "computing counts 2 operations per active parameter and token, without attention's own: long prompts are worth "
                + "loading from slower places still";
    }
}
