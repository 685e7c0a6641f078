using Kvasir.Formats.Models;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>estimate</c> is asked.</summary>
sealed record EstimateRequest
{
    public required ModelSpec Spec { get; init; }
    public required int[] Contexts { get; init; }
    public required bool IsBeyondContext { get; init; }
    public required int[] Batches { get; init; }
    public required KvTypes Type { get; init; }
    public required KvRetention Retention { get; init; }
    public required int Devices { get; init; }
    public required long? Memory { get; init; }
    public required WeightSize? Weights { get; init; }
    public required long? Host { get; init; }
    public required long? Disk { get; init; }
    public required EstimateTiers? Tiers { get; init; }
    public required double? Flops { get; init; }

    /// <summary>Types that are compared: those of everyday use, and the one that is asked for.</summary>
    public IEnumerable<KvTypes> Types => ElementType.OfKv.Select(type => new KvTypes(type))
        .Where(type => type == Type || type.Name is "f16" or "bf16" or "fp8" or "q8_0" or "q4_0").Append(Type).Distinct();
}

/// <summary>
/// What <c>estimate --json</c> prints. Sizes are in bytes and of one device; tiers and break-even are of the whole model.
/// </summary>
sealed record EstimateReport(
    string Model, string Source, string Architecture, string Attention, int Context, long? Parameters, long? ActiveParameters,
    long? WeightBytes, long? WeightBytesRead, string? WeightsHow,
    string KvType, string Retention, int Devices, int Layers, long KvBytesPerToken,
    long KvBytesPerTokenBeyondWindows, long KvBytesPerTokenRead,
    IReadOnlyList<EstimateGroup> Groups, IReadOnlyList<EstimateSize> Sizes, EstimateMemory? Memory, IReadOnlyList<EstimateTier> Tiers,
    IReadOnlyList<EstimateStreaming> Streaming, IReadOnlyList<EstimateBreakEven> BreakEven,
    IReadOnlyList<string> Notes)
{
    public static EstimateReport Of(EstimateRequest request)
    {
        ModelSpec spec = request.Spec;
        KvSize size = new(spec, request.Type, request.Devices), whole = new(spec, request.Type);
        CapacityPlan device = new(size, request.Retention), tiers = new(whole, KvRetention.Everything); // tiers hold exact blocks
        return new EstimateReport(
            spec.Name, spec.Source, spec.Architecture, string.Join(", ", spec.Layers.Select(Kind).Distinct()), spec.Context,
            spec.Parameters, spec.ActiveParameters, request.Weights?.Bytes, request.Weights?.ReadBytes, request.Weights?.How,
            request.Type.Name, request.Retention.ToString(), request.Devices, spec.Layers.Length,
            size.PerToken, size.PerTokenBeyondWindows, Enumerable.Range(0, spec.Layers.Length).Sum(size.TokenBytes),
            EstimateGroup.Of(size, request.Type), [.. EstimateSize.Of(request, size)],
            request.Memory is { } memory ? EstimateMemory.Of(request, device, memory) : null,
            [.. EstimateTier.Of(Tier.Host, request.Host, request.Contexts, tiers),
                .. EstimateTier.Of(Tier.Disk, request.Disk, request.Contexts, tiers)],
            [.. EstimateStreaming.Of(request)],
            request.Flops is { } flops ? EstimateBreakEven.Of(request, tiers, flops) : [],
            [.. spec.Notes, .. EstimateNotes.Of(request)]);
    }

    /// <summary>How query heads share keys and values, as everybody abbreviates it.</summary>
    static string Kind(LayerSpec layer) => layer.Attention switch
    {
        null => "states",
        { IsLatent: true } => "MLA",
        { Heads: var heads, KvHeads: var kvHeads } => kvHeads == heads ? "MHA" : kvHeads == 1 ? "MQA" : "GQA",
    };
}

/// <summary>Layers that keep the same.</summary>
/// <param name="Layers">How many own such a cache.</param>
/// <param name="SharedBy">How many more read theirs.</param>
/// <param name="KvHeads">Heads on one device.</param>
/// <param name="KeyDim">Elements of a key, or of a latent.</param>
/// <param name="ValueDim">Elements of a value; 0 where a latent is both.</param>
/// <param name="BytesPerElement">As a factor: <c>2</c>, <c>34/32</c>.</param>
/// <param name="Window">Tokens that are kept; null for all.</param>
/// <param name="BytesPerToken">Of all these layers.</param>
sealed record EstimateGroup(int Layers, int SharedBy, int KvHeads, int KeyDim, int ValueDim,
    string BytesPerElement, int? Window, long BytesPerToken)
{
    public static IReadOnlyList<EstimateGroup> Of(KvSize size, KvTypes type) =>
        [.. size.Layers.Select((layer, i) => (Layer: layer!, Index: i)).Where(item => item.Layer is not null)
            .GroupBy(item => (item.Layer.KvHeads, item.Layer.KeyDim, item.Layer.ValueDim, item.Layer.Window)).Select(group =>
        {
            int[] owners = [.. group.Where(item => item.Layer.Producer == item.Index).Select(item => item.Index)];
            return new EstimateGroup(owners.Length, group.Count() - owners.Length, group.Key.KvHeads, group.Key.KeyDim, group.Key.ValueDim,
                type.Factor, group.Key.Window, owners.Sum(size.TokenBytes));
        })];
}

/// <summary>Sizes at one context and batch.</summary>
/// <param name="Context">Tokens of each sequence.</param>
/// <param name="Batch">Sequences.</param>
/// <param name="Types">The bytes, by KV type.</param>
/// <param name="KeptShare">What a retention policy and windows keep of the positions of all heads, 0 to 1.</param>
sealed record EstimateSize(int Context, int Batch, IReadOnlyDictionary<string, EstimateBytes> Types, double KeptShare)
{
    public static IEnumerable<EstimateSize> Of(EstimateRequest request, KvSize size)
    {
        KvSize[] types =
            [.. request.Types.Where(type => type.Holds(request.Spec)).Select(type => new KvSize(request.Spec, type, request.Devices))];
        foreach (int context in request.Contexts)
            foreach (int batch in request.Batches)
                yield return new EstimateSize(
                    context, batch, types.ToDictionary(type => type.Types.Name, type => EstimateBytes.Of(request, type, context, batch)),
                    request.Retention.Of(size, context).Rows / Math.Max(1, (double)size.Rows(1) * context));
    }
}

/// <summary>Bytes of a batch with one KV type.</summary>
/// <param name="Bytes">The formula's; under a retention policy those of a view in Kvasir's pool.</param>
/// <param name="AllocatedBytes">In whole blocks of Kvasir's pool; null with states, which the engine does not have.</param>
/// <param name="LlamaCppBytes">As llama.cpp allocates it, for models with windows; null for others.</param>
/// <param name="ReadBytes">That a decoding step reads.</param>
sealed record EstimateBytes(long Bytes, long? AllocatedBytes, long? LlamaCppBytes, long ReadBytes)
{
    public static EstimateBytes Of(EstimateRequest request, KvSize size, int context, int batch)
    {
        KvUse use = request.Retention.Of(size, context);
        bool isWhole = request.Retention == KvRetention.Everything;
        long? allocated = size.StateBytes > 0 ? null : isWhole ? size.AllocatedBytes(context) : use.Bytes;
        bool hasWindows = request.Spec.Attention.Any(layer => layer.Window is not null);
        return new EstimateBytes(
            Times(use.Bytes), allocated is { } blocks ? Times(blocks) : null,
            isWhole && hasWindows ? Times(size.LlamaCppBytes(context)) : null, Times(use.ReadBytes));

        long Times(long bytes) => bytes <= long.MaxValue / batch
            ? bytes * batch
            : throw new UsageException($"--batch {batch}: keys and values of 8 EiB or more");
    }
}

/// <summary>What fits in a device's memory beside the weights.</summary>
/// <param name="Bytes">The memory.</param>
/// <param name="WeightBytes">Of the weights on one device; null when it is not known, and then nothing is subtracted.</param>
/// <param name="LongestContext">Of one sequence, in tokens.</param>
/// <param name="LongestContextInBlocks">The same in Kvasir's blocks; null under a retention policy.</param>
/// <param name="IsModelsContext">The first is all that the model was trained for.</param>
/// <param name="Sequences">How many fit, by their length.</param>
sealed record EstimateMemory(long Bytes, long? WeightBytes, long LongestContext, long? LongestContextInBlocks, bool IsModelsContext,
    IReadOnlyList<EstimateSequences> Sequences)
{
    public static EstimateMemory Of(EstimateRequest request, CapacityPlan plan, long memory)
    {
        long? weights = request.Weights is { } size ? (size.Bytes + request.Devices - 1) / request.Devices : null;
        long room = Math.Max(0, memory - (weights ?? 0)), most = request.IsBeyondContext ? 1 << 30 : request.Spec.Context;
        long longest = plan.LongestContext(room, most, inBlocks: false);
        return new EstimateMemory(
            memory, weights, longest, plan.HasBlocks ? plan.LongestContext(room, most, inBlocks: true) : null,
            longest == request.Spec.Context && !request.IsBeyondContext,
            [.. request.Contexts.Select(context => new EstimateSequences(context, plan.Sequences(room, context, inBlocks: false),
                plan.HasBlocks ? plan.Sequences(room, context, inBlocks: true) : null))]);
    }
}

/// <summary>Sequences that fit side by side.</summary>
sealed record EstimateSequences(int Context, long Sequences, long? SequencesInBlocks);

/// <summary>What a tier behind the device holds, in whole blocks of all layers.</summary>
sealed record EstimateTier(string Tier, long Bytes, long Tokens, int Context, long Conversations)
{
    public static IEnumerable<EstimateTier> Of(KvCache.Blocks.Tier tier, long? room, int[] contexts, CapacityPlan plan)
    {
        bool onDisk = tier == KvCache.Blocks.Tier.Disk;
        return room is not { } bytes ? [] : contexts.Select(context => new EstimateTier(
            tier.Name(), bytes, plan.TierTokens(bytes, onDisk), context, plan.TierConversations(bytes, context, onDisk)));
    }
}

/// <summary>Bytes per second above which loading a sequence beats computing it.</summary>
sealed record EstimateBreakEven(int Context, long Bytes, double ComputeSeconds, double BytesPerS)
{
    public static IReadOnlyList<EstimateBreakEven> Of(EstimateRequest request, CapacityPlan plan, double flops)
    {
        if (request.Spec.ActiveParameters is not { } active)
            throw new UsageException($"--flops: the active parameters of {Formats.Printable.Line(request.Spec.Name)} are not known");
        return [.. request.Contexts.Select(context => new EstimateBreakEven(
            context, plan.SequenceBytes(context, inBlocks: false), 2.0 * active * context / flops,
            plan.BreakEven(context, active, flops)))];
    }
}
