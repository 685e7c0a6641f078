using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference;

/// <summary>
/// What computes a model's passes, and owns what they read there: the weights, and the memory of the pool with its copies. A model is
/// loaded for one (<see cref="LanguageModel.Load"/>), which it owns, and its engines compute there. Bits differ between backends, so each names its keys
/// and values its own way.
/// </summary>
public abstract class ComputeBackend : IDisposable
{
    private protected ComputeBackend() { }

    /// <summary>Its name in messages: <c>cpu</c>, or a device's.</summary>
    public abstract string Name { get; }

    /// <summary>What names keys and values that are computed here, beside the model: device, driver, kernels. Null for the CPU.</summary>
    internal abstract string? Numerics { get; }

    /// <summary>Refuses what it does not compute, and begins with what takes a while.</summary>
    /// <exception cref="ArgumentException">The model or an option is none that it computes; one line names it.</exception>
    internal abstract void Begin(ModelSpec model, EngineOptions options);

    /// <summary>Brings a model's matrices to where they are read.</summary>
    /// <param name="packing">The matrices, and where they are stored.</param>
    /// <param name="packed">Where packed matrices are kept between processes; null for nowhere.</param>
    /// <param name="done">Told now and then how many stored bytes are there by then, and how many there are in all.</param>
    /// <returns>Their memory.</returns>
    /// <exception cref="InsufficientMemoryException">They do not fit.</exception>
    internal abstract IDisposable PlaceWeights(WeightPacking packing, PackedModel? packed, Action<long, long>? done);

    /// <summary>Memory for the pool's blocks.</summary>
    /// <exception cref="InsufficientMemoryException">It is not to be had; one line says how much was asked for, and of whom.</exception>
    internal abstract IBlockArena NewArena(KvLayout layout, int blocks);

    /// <summary>What computes passes over a cache whose pool has memory of <see cref="NewArena"/>.</summary>
    /// <param name="model">A model that was loaded for this backend.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="options">Sizes and settings.</param>
    /// <param name="context">Tokens of context that are served.</param>
    internal abstract ITransformer NewTransformer(LanguageModel model, TieredKvCache cache, EngineOptions options, int context);

    /// <summary>Gives back what it owns; the model does so that was loaded for it.</summary>
    public abstract void Dispose();
}
