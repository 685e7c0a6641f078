using System.Collections.Concurrent;

namespace Kvasir.Inference.Kernels;

/// <summary>The code of <see cref="TileDot"/>, assembled when it is first called.</summary>
static unsafe class EmittedTiles
{
    static readonly ConcurrentDictionary<TileKind, nint> s_routines = [];

    /// <summary>The kernel; the caller has made sure that tiles may be used.</summary>
    public static TileDot Kernel(int leastTokens = TileDot.LeastTokens) => new(EmittedDot.Instance!, Run, leastTokens);

    static void Run(TileKind kind, TileOperands* operands)
    {
        nint routine = s_routines.GetOrAdd(kind, static kind => new ExecutableMemory(new TileRoutine(kind).Assemble()).Address);
        // some ten microseconds, for which a garbage collection waits
        ((delegate* unmanaged[SuppressGCTransition]<TileOperands*, void>)routine)(operands);
    }
}
