using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Kernels;

/// <summary>The operations of a forward pass on the CPU. All act on the first <c>tokens</c> rows.</summary>
abstract class CpuKernels : IDisposable
{
    /// <summary>
    /// Most rows of one sequence that attend together; more would share widened keys further but need more scratch memory.
    /// </summary>
    public const int RowsPerRun = 64;

    public static CpuKernels Create(InstructionSet set, ComputePool pool) => set switch
    {
        InstructionSet.Amx => new CpuKernels<Lanes512>(pool, EmittedTiles.Kernel()),
        InstructionSet.Avx512Vnni => new CpuKernels<Lanes512>(pool, EmittedDot.Instance!),
        InstructionSet.Vector512 => new CpuKernels<Lanes512>(pool, new LanesDot<Lanes512>()),
        InstructionSet.Vector256 => new CpuKernels<Lanes256>(pool, new LanesDot<Lanes256>()),
        InstructionSet.AdvSimdDp => new CpuKernels<Lanes128<DotProducts>>(pool, new LanesDot<Lanes128<DotProducts>>()),
        InstructionSet.AdvSimd => new CpuKernels<Lanes128<WideningProducts>>(pool, new LanesDot<Lanes128<WideningProducts>>()),
        _ => new CpuKernels<LanesScalar>(pool, new LanesDot<LanesScalar>()),
    };

    /// <summary>
    /// Allocates scratch memory for the largest batch, the widest matrix, the largest attention and the largest mixture of experts, so that
    /// no step has to.
    /// </summary>
    public abstract void Reserve(int tokens, int columns, AttentionSize attention, ExpertSize? experts = null);

    public abstract void RmsNorm(FloatRows x, FloatRows weight, float epsilon, FloatRows y, int tokens);

    /// <summary>Products with the same activations, at most <see cref="Products.Most"/>.</summary>
    public abstract void MatMul(FloatRows x, int tokens, params ReadOnlySpan<Product> products);

    public abstract void Rope(RopeTable table, FloatRows heads, int headDim, int tokens);
    public abstract void StoreKv(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows keys, FloatRows values);

    /// <summary>All of an attention, or a part; see <see cref="StretchPart"/>.</summary>
    public abstract void Attention(AttentionInput input, StretchPart part);

    public void Attention(AttentionInput input) => Attention(input, StretchPart.All);

    /// <summary>Attention of rows that read only some pages; see <see cref="PagedAttention{T}"/>.</summary>
    /// <returns>False when pages did not come from the disk.</returns>
    public abstract bool PagedAttention(AttentionInput input, StreamedPages? disk = null);

    /// <summary>Finds, ahead of that, between which bounds keys lie, as far as a part goes.</summary>
    public abstract void BoundKeys(AttentionInput input, StretchPart part);

    /// <summary>Looks once more at an attention that was computed, with its scales; see <see cref="ObserveAttention{T}"/>.</summary>
    public abstract void Observe(AttentionInput input, Observation observation, FloatRows seen, int firstSeen, Range positions);

    /// <summary>A mixture of experts, into y; see <see cref="ExpertNetwork"/>.</summary>
    public abstract void Experts(ExpertNetwork network, FloatRows x, int tokens, FloatRows y);

    public abstract void SwiGlu(FloatRows gate, FloatRows up, int tokens);
    public abstract void GeGlu(FloatRows gate, FloatRows up, int tokens);

    /// <summary>Adds so many times y.</summary>
    public abstract void Add(FloatRows x, FloatRows y, float scale, int tokens);

    /// <summary>Multiplies logits and caps them, where a model does.</summary>
    public abstract void FormLogits(FloatRows logits, float? scale, float? cap, int rows);

    /// <summary>Frees the scratch memory.</summary>
    public abstract void Dispose();
}

sealed class CpuKernels<T>(ComputePool pool, DotKernel dot) : CpuKernels where T : struct, ILanes<T>
{
    readonly MatMulScratch[] _matMul = new MatMulScratch[pool.Threads];
    QuantizedRows? _quantized;
    Attention<T>? _attention;
    PagedAttention<T>? _paged; // once a row wants it
    ExpertMemory? _experts;
    AttentionSize _size;

    public override void Reserve(int tokens, int columns, AttentionSize attention, ExpertSize? experts)
    {
        _quantized = new QuantizedRows(tokens, columns);
        for (int thread = 0; thread < pool.Threads; thread++)
            _matMul[thread] = new MatMulScratch();
        (_attention, _size) = (new Attention<T>(pool, attention), attention);
        _experts = experts is { } size ? new ExpertMemory(size, tokens, pool.Threads) : null;
    }

    public override void RmsNorm(FloatRows x, FloatRows weight, float epsilon, FloatRows y, int tokens)
    {
        var job = new RmsNorm<T>(x, weight, epsilon, y);
        pool.Run(ref job, tokens);
    }

    public override void MatMul(FloatRows x, int tokens, params ReadOnlySpan<Product> products)
    {
        Products all = default;
        PanelsPerItem perItem = default;
        int items = 0;
        bool quantized = false, halves = false;
        for (int i = 0; i < products.Length; i++)
        {
            (all[i], perItem[i]) = (products[i], PanelsPerItem.For(products[i].W, tokens, pool.Threads, dot));
            items += MatMul<T>.Items(products[i].W, perItem[i]);
            quantized |= products[i].W.IsQuantized;
            halves |= NeedsHalves(products[i].W);
        }
        if (quantized)
            Quantize(x, products[0].W.Columns, tokens, halves);
        var job = new MatMul<T>(all, perItem, products.Length, x, _quantized!, tokens, dot, _matMul);
        pool.Run(ref job, items);
    }

    void Quantize(FloatRows x, int columns, int tokens, bool halves)
    {
        bool inRows = dot.WantsRows(tokens);
        var job = new Quantize<T>(x, columns, tokens, halves, inRows, _quantized!);
        pool.Run(ref job, inRows ? (tokens + QuantizedRows.RowTile - 1) / QuantizedRows.RowTile : QuantizedRows.Tiles(tokens));
    }

    public override void Experts(ExpertNetwork network, FloatRows x, int tokens, FloatRows y)
    {
        ExpertMemory memory = _experts!;
        ExpertPlan plan = memory.Plan;
        memory.Fit(network);
        MatMul(x, tokens, new Product(network.Router, network.RouterBias, memory.Logits));
        plan.Begin(network.Chosen);
        var choose = new ChooseExperts<T>(memory.Logits, plan, network.WeighsAmongAll);
        pool.Run(ref choose, tokens);
        plan.Group(tokens);
        PrepareInputs(network, x, tokens, memory);
        var hidden = new ExpertHidden<T>(network, plan, memory, sharesTile: tokens == 1, dot, _matMul);
        pool.Run(ref hidden, plan.Active * ExpertHidden<T>.Strips(network));
        if (network.Down.IsQuantized)
            QuantizePairs(memory.Hidden, isOfPairs: true, network.Down.Columns, NeedsHalves(network.Down), plan.Tiles);
        int panels = ExpertSum<T>.PanelsOfStrip(network.Down, pool.Threads);
        var sum = new ExpertSum<T>(network, plan, memory, y, tokens, panels, dot, _matMul);
        pool.Run(ref sum, (network.Down.Expert(0).Panels + panels - 1) / panels);
    }

    /// <summary>The rows of pairs as the weights want them. A single row's bytes serve all experts.</summary>
    void PrepareInputs(ExpertNetwork network, FloatRows x, int tokens, ExpertMemory memory)
    {
        if (!network.Gate.IsQuantized || !network.Up.IsQuantized)
        {
            var gather = new GatherRows(memory.Plan, x, memory.Gathered!);
            pool.Run(ref gather, memory.Plan.Pairs);
        }
        if (network.Gate.IsQuantized || network.Up.IsQuantized)
            QuantizePairs(x, isOfPairs: false, network.Gate.Columns, NeedsHalves(network.Gate) || NeedsHalves(network.Up),
                tokens == 1 ? 1 : memory.Plan.Tiles);
    }

    void QuantizePairs(FloatRows x, bool isOfPairs, int columns, bool halves, int tiles)
    {
        var job = new QuantizePairs<T>(_experts!.Plan, x, isOfPairs, columns, halves, _experts.Quantized);
        pool.Run(ref job, tiles);
    }

    static bool NeedsHalves(PackedMatrix w) => w.Format is QuantizedPanels { Kind.Parts: 2 };

    public override void Rope(RopeTable table, FloatRows heads, int headDim, int tokens)
    {
        var job = new Rope<T>(table, heads, headDim);
        pool.Run(ref job, tokens);
    }

    public override void StoreKv(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows keys, FloatRows values)
    {
        var job = new StoreKv(layout, layer, runs, positions, keys, values);
        pool.Run(ref job, runs.Count);
    }

    public override void Attention(AttentionInput input, StretchPart part) => _attention!.Run(input, part);

    public override bool PagedAttention(AttentionInput input, StreamedPages? disk) => Paged.Run(input, disk);

    public override void BoundKeys(AttentionInput input, StretchPart part) => Paged.BoundKeys(input, part);

    PagedAttention<T> Paged => _paged ??= new PagedAttention<T>(pool, _size);

    public override void Observe(AttentionInput input, Observation observation, FloatRows seen, int firstSeen, Range positions) =>
        _attention!.Observe(input, observation, seen, firstSeen, positions);

    public override void SwiGlu(FloatRows gate, FloatRows up, int tokens)
    {
        var job = new SwiGlu<T>(gate, up);
        pool.Run(ref job, tokens);
    }

    public override void GeGlu(FloatRows gate, FloatRows up, int tokens)
    {
        var job = new GeGlu<T>(gate, up);
        pool.Run(ref job, tokens);
    }

    public override void Add(FloatRows x, FloatRows y, float scale, int tokens)
    {
        var job = new Add<T>(x, y, scale);
        pool.Run(ref job, tokens);
    }

    public override void FormLogits(FloatRows logits, float? scale, float? cap, int rows)
    {
        var job = new FormLogits<T>(logits, scale, cap);
        pool.Run(ref job, rows);
    }

    public override void Dispose()
    {
        _quantized?.Dispose();
        _experts?.Dispose();
        _attention?.Dispose();
        _paged?.Dispose();
        foreach (MatMulScratch? scratch in _matMul)
            scratch?.Dispose();
    }
}
