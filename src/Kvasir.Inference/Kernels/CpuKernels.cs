using Kvasir.Inference.Formats;
using Kvasir.KvCache;

namespace Kvasir.Inference.Kernels;

/// <summary>The operations of a forward pass on the CPU. All act on the first <c>tokens</c> rows.</summary>
abstract class CpuKernels
{
    /// <summary>Most rows of one sequence that attend together; more would share widened keys further but need more scratch memory.</summary>
    public const int RowsPerRun = 64;

    public static CpuKernels Create(InstructionSet set, ComputePool pool) => set switch
    {
        InstructionSet.Vector512 => new CpuKernels<Lanes512>(pool),
        InstructionSet.Vector256 => new CpuKernels<Lanes256>(pool),
        _ => new CpuKernels<LanesScalar>(pool),
    };

    /// <summary>Allocates scratch memory for the widest matrix and the largest heads, so that no step has to.</summary>
    public abstract void Reserve(int columns, int headDim, int kvHeads, int group);

    public abstract void RmsNorm(FloatRows x, FloatRows weight, float epsilon, FloatRows y, int tokens);
    public abstract void MatMul(Matrix w, FloatRows x, FloatRows? bias, FloatRows y, int tokens);
    public abstract void Rope(RopeTable table, FloatRows rotations, FloatRows heads, int headDim, int tokens);
    public abstract void StoreKv(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows keys, FloatRows values);
    public abstract void Attention(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows queries, FloatRows output);
    public abstract void SwiGlu(FloatRows gate, FloatRows up, int tokens);
    public abstract void Add(FloatRows x, FloatRows y, int tokens);
}

sealed class CpuKernels<T>(ComputePool pool) : CpuKernels where T : struct, ILanes<T>
{
    readonly FloatRows[] _weights = new FloatRows[pool.Threads];
    Attention<T>? _attention;

    public override void Reserve(int columns, int headDim, int kvHeads, int group)
    {
        for (int thread = 0; thread < pool.Threads; thread++)
            _weights[thread] = new FloatRows(MatMul<T>.OutputsPerItem, columns);
        _attention = new Attention<T>(pool, headDim, kvHeads, group);
    }

    public override void RmsNorm(FloatRows x, FloatRows weight, float epsilon, FloatRows y, int tokens)
    {
        var job = new RmsNorm<T>(x, weight, epsilon, y);
        pool.Run(ref job, tokens);
    }

    public override void MatMul(Matrix w, FloatRows x, FloatRows? bias, FloatRows y, int tokens)
    {
        TensorType? inRegisters = tokens < MatMul<T>.Tile && w.Columns % (2 * ILanes<T>.Count) == 0 ? w.Type : null;
        switch (inRegisters)
        {
            case TensorType.F32: RunMatVec<F32Weights<T>>(w, x, bias, y, tokens); break;
            case TensorType.F16: RunMatVec<F16Weights<T>>(w, x, bias, y, tokens); break;
            case TensorType.Q8_0: RunMatVec<Q8Weights<T>>(w, x, bias, y, tokens); break;
            case TensorType.Q4_0: RunMatVec<Q4Weights<T>>(w, x, bias, y, tokens); break;
            default:
                var job = new MatMul<T>(w, x, bias, y, tokens, _weights);
                pool.Run(ref job, MatMul<T>.Items(w));
                break;
        }
    }

    void RunMatVec<TWeights>(Matrix w, FloatRows x, FloatRows? bias, FloatRows y, int tokens) where TWeights : struct, IWeightFormat<T>
    {
        var job = new MatVec<T, TWeights>(w, x, bias, y, tokens);
        pool.Run(ref job, MatVec<T, TWeights>.Items(w));
    }

    public override void Rope(RopeTable table, FloatRows rotations, FloatRows heads, int headDim, int tokens)
    {
        var job = new Rope(table, rotations, heads, headDim);
        pool.Run(ref job, tokens);
    }

    public override void StoreKv(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows keys, FloatRows values)
    {
        var job = new StoreKv(layout, layer, runs, positions, keys, values);
        pool.Run(ref job, runs.Count);
    }

    public override void Attention(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows queries, FloatRows output) =>
        _attention!.Run(new AttentionInput(layout, layer, runs, positions, queries, output));

    public override void SwiGlu(FloatRows gate, FloatRows up, int tokens)
    {
        var job = new SwiGlu<T>(gate, up);
        pool.Run(ref job, tokens);
    }

    public override void Add(FloatRows x, FloatRows y, int tokens)
    {
        var job = new Add<T>(x, y);
        pool.Run(ref job, tokens);
    }
}
