using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>Layers of different shapes in one model, each computed as its own description says.</summary>
public class LayerShapeTests
{
    const int Tokens = 37;
    const int Own = -1; // in place of a layer's number

    static readonly RopeSpec s_rope = new(10_000, 16, RopeStyle.Halves);
    static readonly AttentionSpec s_attention = new(4, 2, 16, 16, null, Own) { Rope = s_rope };

    static readonly Dictionary<string, ModelSpec> s_models = new()
    {
        ["alike"] = Of(s_attention, s_attention),
        ["query heads"] = Of(s_attention, s_attention with { Heads = 8 }, s_attention with { Heads = 2 }),
        ["KV heads"] = Of(s_attention, s_attention with { KvHeads = 4 }, s_attention with { KvHeads = 1 }),
        ["widths of keys"] = Of(s_attention, s_attention with { KeyDim = 40 }, s_attention with { KeyDim = 32 }),
        ["widths of values"] = Of(s_attention, s_attention with { ValueDim = 48 }, s_attention with { ValueDim = 4 }),
        ["windows"] = Of(s_attention with { Window = 5 }, s_attention, s_attention with { Window = 9 }),
        ["bases"] = Of(s_attention, s_attention with { Rope = s_rope with { Base = 100 } }, s_attention),
        ["rotated or not"] = Of(s_attention, s_attention with { Rope = null }, s_attention),
        ["rotated parts"] = Of(
            s_attention, s_attention with { Rope = s_rope with { Dims = 8 } },
            s_attention with { Rope = s_rope with { Dims = 6, Style = RopeStyle.Adjacent } }),
        ["stretched or not"] = Of(s_attention, s_attention with { Rope = s_rope with { Scaling = new("linear", 8) } }),
        ["normalised or not"] = Of(s_attention, s_attention with { HasQkNorm = true }),
        ["readers of others"] = Of(
            s_attention with { ValueDim = 24 }, s_attention with { Heads = 2 },
            s_attention with { Heads = 6, ValueDim = 24, Producer = 0 }),
        ["everything"] = Of(
            s_attention with { Heads = 6, KvHeads = 3, KeyDim = 24, ValueDim = 40, Window = 11, Rope = s_rope with { Base = 500 } },
            s_attention with
            {
                KvHeads = 1,
                KeyDim = 64,
                ValueDim = 32,
                HasQkNorm = true,
                Rope = s_rope with { Dims = 32, Scaling = new("linear", 4) },
            },
            s_attention with { Heads = 3, KvHeads = 3, KeyDim = 24, ValueDim = 40, Window = 3, Producer = 0, Rope = null }),
    };

    static LayerShapeTests() => s_models["mixtures of experts"] = s_models["everything"] with
    {
        Layers =
        [
            .. s_models["everything"].Layers.Zip(
                (FeedForwardSpec[])
                [
                    new(72, "silu") { Experts = 5, Chosen = 2, WeighsAmongAll = true },
                    new(32, "silu"),
                    new(40, "silu") { Experts = 19, Chosen = 18 },
                ], (layer, network) => layer with { FeedForward = network }),
        ],
    };

    public static TheoryData<string> Names => [.. s_models.Keys];

    static int[] Prompt => [.. Enumerable.Range(0, Tokens).Select(i => (i * 37 + 11) % 50)];

    /// <summary>Layers whose networks differ, too.</summary>
    static ModelSpec Of(params AttentionSpec[] layers) => new()
    {
        Name = "test", Source = "a test", Architecture = "llama", Context = 64, Width = 48, Vocabulary = 50,
        Norm = new(NormKind.Rms, 1e-5f), Parameters = null, ActiveParameters = null,
        Layers = [.. layers.Select((layer, i) => new LayerSpec
        {
            Attention = layer.Producer == Own ? layer with { Producer = i } : layer,
            FeedForward = new(32 + 40 * i, "silu"),
        })],
    };

    [Theory, MemberData(nameof(Names))]
    public void Logits_are_those_of_the_textbook(string name)
    {
        var tensors = new RandomTensors(s_models[name]);
        double[] expected = new PlainTransformer(tensors, s_models[name]).Logits(Prompt);
        float[] actual = Logits(s_models[name], tensors, InstructionSets.Available.Last(), chunk: 16);
        double scale = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * scale));
    }

    [Theory, MemberData(nameof(Names))]
    public void Every_instruction_set_and_chunking_gives_the_same_bits(string name)
    {
        var tensors = new RandomTensors(s_models[name]);
        float[] expected = Logits(s_models[name], tensors, InstructionSets.Available.Last(), Tokens);
        foreach (InstructionSet set in InstructionSets.Available)
            foreach (int chunk in (int[])[1, 7, Tokens])
            {
                float[] actual = Logits(s_models[name], tensors, set, chunk);
                Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)), $"{set}, {chunk}");
            }
    }

    [Theory]
    [InlineData("everything")]
    [InlineData("mixtures of experts")]
    public void A_step_over_layers_of_all_shapes_allocates_nothing(string name)
    {
        ModelSpec spec = s_models[name];
        const int Counted = 1; // the calling thread
        using var model = new Computed(spec, new RandomTensors(spec), InstructionSets.Available.Last(), maxTokens: 8, Counted);
        foreach (int token in Prompt[..20])
            model.Forward([token]);
        Assert.Equal(0, model.AllocatedBy(Prompt[20]));
    }

    static float[] Logits(ModelSpec spec, RandomTensors tensors, InstructionSet set, int chunk)
    {
        using var model = new Computed(spec, tensors, set, chunk);
        foreach (int[] piece in Prompt.Chunk(chunk))
            model.Forward(piece);
        return model.Logits.ToArray();
    }

    /// <summary>A model and one sequence of it.</summary>
    sealed class Computed : IDisposable
    {
        readonly ComputePool _pool;
        readonly ModelWeights _weights;
        readonly CpuKernels _kernels;
        readonly Transformer _transformer;
        readonly TieredKvCache _cache;
        readonly CachedSequence _sequence;
        readonly Batch _batch = new();

        public Computed(ModelSpec spec, RandomTensors tensors, InstructionSet set, int maxTokens, int threads = 2)
        {
            _pool = new ComputePool(threads);
            SupportedModels.Check(spec);
            var layout = new KvLayout(16, F32Codec.Instance, KvLayers.Of(spec));
            _weights = new WeightReader(tensors, spec).Read();
            _kernels = CpuKernels.Create(set, _pool);
            _transformer = new Transformer(spec, _weights, layout, _kernels, spec.Context, maxTokens);
            _cache = new TieredKvCache(layout, default, new KvCacheOptions { DeviceBlocks = layout.BlocksFor(Tokens) });
            _sequence = _cache.NewSequence(sharing: false, tokens: Tokens);
            Assert.True(_sequence.TryReserve(Tokens));
        }

        public ReadOnlySpan<float> Logits => _transformer.Logits(0);

        public void Forward(ReadOnlySpan<int> tokens)
        {
            int first = _sequence.Length;
            _batch.Clear();
            for (int i = 0; i < tokens.Length; i++)
                _batch.Add(tokens[i], first + i, _sequence, wantsLogits: i == tokens.Length - 1);
            Assert.True(_transformer.Forward(_batch));
            _sequence.Table.Fill(first, first + tokens.Length);
        }

        public long AllocatedBy(int token)
        {
            int first = _sequence.Length;
            _batch.Clear();
            _batch.Add(token, first, _sequence, wantsLogits: true);
            long before = GC.GetAllocatedBytesForCurrentThread();
            _transformer.Forward(_batch);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        public void Dispose()
        {
            _sequence.Dispose();
            _transformer.Dispose();
            _kernels.Dispose();
            _weights.Dispose();
            _cache.Dispose();
            _pool.Dispose();
        }
    }
}
