using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Model;

/// <summary>Sees what the rows of a pass look at, layer by layer. Such a pass answers nothing: it is there to be looked at.</summary>
abstract class AttentionObserver
{
    /// <summary>Whether the rows' keys and values are in the cache already, and nothing is written.</summary>
    public virtual bool LeavesCache => true;

    /// <summary>What receives a layer's scales, [rows, heads · 2]; null where its attention is not looked at.</summary>
    public virtual FloatRows? Scales(int layer) => null;

    /// <summary>A layer's queries before they are rotated, [rows, heads · key dim].</summary>
    public virtual void SeeQueries(int layer, FloatRows queries, int rows) { }

    /// <summary>A layer's attention, computed.</summary>
    public virtual void SeeAttention(CpuKernels kernels, AttentionInput attention) { }
}
