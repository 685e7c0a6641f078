using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference;

/// <summary>The processor: weights in panels, and a pool in the host's memory. Owns nothing beyond its models and engines.</summary>
sealed class CpuBackend : ComputeBackend
{
    public static CpuBackend Instance { get; } = new();

    public override string Name => "cpu";

    internal override string? Numerics => null;

    internal override void Begin(ModelSpec model, EngineOptions options) => EarlyCompilation.Begin(options.InstructionSet);

    internal override IDisposable PlaceWeights(WeightPacking packing, PackedModel? packed, Action<long, long>? done) =>
        packed?.Map(packing, done) ?? packed?.Pack(packing, done) ?? packing.Run(done);

    internal override IBlockArena NewArena(KvLayout layout, int blocks) => new NativeArena(layout, blocks);

    internal override ITransformer NewTransformer(LanguageModel model, TieredKvCache cache, EngineOptions options, int context)
    {
        ComputePool threads = new(options.Threads);
        CpuKernels kernels = CpuKernels.Create(options.InstructionSet, threads);
        return new Transformer(model.Config, model.Weights, cache.Layout, kernels, context, Math.Min(options.PrefillChunk, context))
        {
            Threads = threads,
            Owned = [threads, kernels],
        };
    }

    public override void Dispose() { }
}
