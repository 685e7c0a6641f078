using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Retention;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Model;
using Kvasir.Tests.Reuse;
using Kvasir.Vulkan;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Passes;

namespace Kvasir.Tests.Vulkan;

/// <summary>
/// Forward passes on whatever device there is, Mesa's driver on the processor as a rule, each part in a process of its own: a bad address
/// ends it.
/// </summary>
public sealed class VulkanTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(nameof(Logits))]
    [InlineData(nameof(Weights))]
    [InlineData(nameof(Bits))]
    [InlineData(nameof(Tiers))]
    [InlineData(nameof(Memory))]
    public void A_device_computes_what_the_processor_does(string part)
    {
        NeedDevice();
        OwnProcess.RunToTheEnd(typeof(VulkanTests), nameof(Part), part);
    }

    /// <summary>A part of the test above.</summary>
    [Fact]
    public void Part()
    {
        switch (OwnProcess.Argument(nameof(Part)))
        {
            case nameof(Logits): Logits(); break;
            case nameof(Weights): Weights(); break;
            case nameof(Bits): Bits(); break;
            case nameof(Tiers): Tiers(); break;
            case nameof(Memory): Memory(); break;
            default: Assert.Fail("no such part"); break;
        }
    }

    /// <summary>Every family that is not refused, and saga in floats.</summary>
    void Logits()
    {
        var models = ArchitectureTests.Models.Concat(TinyModel.Families)
            .Where(model => model.Key != "mistral3" && model.Value.Experts == 0)
            .Concat(LayerVariantTests.Models.Where(model => model.Key is "shared-kv" or "shared-windows" or "two-rotations"))
            .Select(model => (model.Key, model.Value.WriteTo(_folder[$"{model.Key}.gguf"]))).ToList();
        models.Add(("saga", SagaInF32.WriteTo(_folder["saga.gguf"])));
        foreach ((string name, string path) in models)
        {
            float[][] expected = LogitsOf(path, null, 40), actual = LogitsOf(path, Device(), 40);
            Assert.True(Distance(expected, actual) < 1e-3, $"{name}: {Distance(expected, actual)}");
        }
    }

    /// <summary>The distance to the same weights in floats is no greater than the CPU's, whose activations are bytes.</summary>
    void Weights()
    {
        string floats = (TinyModel.Llama with { Embedding = 256, HeadDim = 64, FeedForward = 512 }).WriteTo(_folder["floats.gguf"]);
        foreach (TensorType type in WeightWords.All.Select(words => words.Type).Where(type => type != TensorType.F32))
        {
            string stored = Convert(floats, type), widened = Convert(stored, TensorType.F32);
            float[][] exact = LogitsOf(widened, null, 20);
            double onDevice = Distance(exact, LogitsOf(stored, Device(), 20)), onCpu = Distance(exact, LogitsOf(stored, null, 20));
            Assert.True(onDevice <= Math.Max(onCpu, 1e-4), $"{type}: {onDevice} on the device, {onCpu} on the CPU");
        }
        string refused = Convert(floats, TensorType.Q5_K);
        var e = Assert.Throws<VulkanException>(() => LanguageModel.Load(refused, backend: Device()).Dispose());
        Assert.Contains("q5_K", e.Message, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Logits do not depend on chunks, the size of blocks, holes, neighbours, or on there being a cache.</summary>
    void Bits()
    {
        foreach (string path in (string[])[SagaModel.Path, SagaVariantTests.PathOf("saga-window"), TinyModel.Gemma2.WriteTo(_folder["tiny.gguf"])])
        {
            using LanguageModel model = LanguageModel.Load(path, backend: Device());
            float[][] expected = LogitsOf(model, 75, new EngineOptions { PrefillChunk = 75 });
            Assert.True(expected[^1].Distinct().Count() > 10, "the logits say nothing");
            foreach (EngineOptions options in (EngineOptions[])[new() { PrefillChunk = 1 }, new() { PrefillChunk = 9, BlockTokens = 32 },
                new() { BlockTokens = 256, PrefillChunk = 50 }])
                AssertSame(expected, LogitsOf(model, 75, options), $"{path}, chunks of {options.PrefillChunk}, blocks of {options.BlockTokens}");
        }
        using LanguageModel saga = LanguageModel.Load(SagaModel.Path, backend: Device());
        using LanguageModel cut = LanguageModel.Load(SagaModel.Path, backend: CutDevice.Open(1 << 17));
        EngineOptions small = new() { PrefillChunk = 16, Context = 128 };
        AssertSame(LogitsOf(saga, 40, small), LogitsOf(cut, 40, small), "matrices in parts");
        Assert.Equal(Generate(saga, KvReuse.Off, 1), Generate(saga, KvReuse.On, 1));
        Assert.Equal(Generate(saga, KvReuse.WithinSequence, 1), Generate(saga, KvReuse.On, 4));
    }

    /// <summary>What one completion says beside others, which begin otherwise, with how likely each token was.</summary>
    static string Generate(LanguageModel model, KvReuse reuse, int together)
    {
        using InferenceEngine engine = new(model, new EngineOptions { Context = 256, Sequences = together, KvReuse = reuse });
        GenerationOptions options = new() { MaxTokens = 12, TopLogprobs = 2, Sampling = new SamplingOptions { Temperature = 0 } };
        Completion[] completions = [.. Enumerable.Range(0, together)
            .Select(i => engine.Start(model.Tokenizer.Encode("Once upon a time, " + new string('a', i)).ToArray(), options))];
        List<string> said = [];
        while (completions[0].Pieces.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            while (completions[0].Pieces.TryRead(out CompletionPiece piece))
                if (piece.Logprobs is { } likely)
                    said.Add($"{piece.Token}: {BitConverter.SingleToInt32Bits(likely.Logprob):x}");
        Array.ForEach(completions, completion => completion.Result.GetAwaiter().GetResult());
        Assert.Equal(12, said.Count);
        return string.Join(", ", said);
    }

    /// <summary>Blocks leave the device, and come back from host and disk as they were; none is taken for one of the CPU's.</summary>
    void Tiers()
    {
        int[] prompt = [.. Enumerable.Range(0, 101).Select(i => 260 + i * 53 % 700)];
        string disk = _folder["kv"];
        EngineOptions options = CachedEngine.WithDisk(disk) with { KvHostBytes = 64 << 20 };
        using LanguageModel model = LanguageModel.Load(SagaModel.Path, backend: Device());
        CachedEngine.Answer expected;
        using (CachedEngine first = new(model, options))
        {
            expected = first.Ask(prompt);
            first.Drop(prompt, _ => true, deviceOnly: true);
            CachedEngine.Answer restored = first.Ask(prompt);
            Assert.Equal((1, 100), (restored.Computed, restored.Use.From(Tier.Host)));
            restored.AssertSameBits(expected, "from the host");
            first.Drop(prompt, block => block is 1 or 4);
            CachedEngine.Answer filled = first.Ask(prompt);
            filled.AssertSameBits(expected, "with holes");
        }
        using (CachedEngine second = new(model, options with { KvHostBytes = 0 }))
        {
            CachedEngine.Answer restored = second.Ask(prompt);
            Assert.Equal((1, 100), (restored.Computed, restored.Use.From(Tier.Disk)));
            restored.AssertSameBits(expected, "from the disk");
        }
        using LanguageModel onCpu = LanguageModel.Load(SagaModel.Path);
        Assert.NotEqual(InferenceEngine.FingerprintOf(onCpu, options), InferenceEngine.FingerprintOf(model, options));
        using CachedEngine other = new(onCpu, options);
        Assert.Equal(prompt.Length, other.Ask(prompt).Computed);
    }

    /// <summary>A pool for which there is no memory becomes one for a single context, or a line that says how much was wanted.</summary>
    static void Memory()
    {
        using LanguageModel model = LanguageModel.Load(SagaModel.Path, backend: Device());
        using (InferenceEngine engine = new(model, new EngineOptions { Context = 512, Sequences = 1 << 20 }))
            Assert.Equal(engine.Room.Blocks, engine.Cache.Device.Counts.Total);
        var e = Assert.Throws<InsufficientMemoryException>(() => new InferenceEngine(model, new EngineOptions { Context = 1 << 24 }));
        Assert.Contains("no memory for a pool of", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        foreach ((EngineOptions options, string what) in ((EngineOptions, string)[])
        [
            (StoredAs.Floats, "KV type of keys: f32"),
            (new EngineOptions { Context = 2048, KvDeviceBytes = 1 << 20, KvHostBytes = 64 << 20 }, "KV device bytes: 1,048,576"),
            (new EngineOptions { KvRetention = RetentionPolicy.Parse("replay:25%") }, "retention: replay:25%"),
        ])
        {
            var refused = Assert.Throws<ArgumentException>(() => new InferenceEngine(model, options));
            Assert.Contains(what, refused.Message, StringComparison.Ordinal);
            Assert.Contains("--device cpu", refused.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Skips the test, and says why, where there is no device.</summary>
    internal static void NeedDevice()
    {
        try
        {
            Assert.SkipUnless(VulkanBackend.Devices().Any(device => device.Problem is null), "needs a device that Vulkan can use");
        }
        catch (VulkanException e)
        {
            Assert.Skip($"needs a driver (mesa-vulkan-drivers has one for the processor): {e.Message}");
        }
    }

    static VulkanBackend Device() => VulkanBackend.Open();

    string Convert(string path, TensorType type)
    {
        string to = _folder[$"{Path.GetFileNameWithoutExtension(path)}-{type}.gguf"];
        using GgufFile file = GgufFile.Open(path);
        Quantizer.Quantize(file, to, WeightMix.Of(type), cancellation: TestContext.Current.CancellationToken);
        return to;
    }

    static float[][] LogitsOf(string path, VulkanBackend? device, int tokens)
    {
        using LanguageModel model = LanguageModel.Load(path, backend: device);
        return LogitsOf(model, tokens, new EngineOptions { Context = ArchitectureTests.Context });
    }

    static float[][] LogitsOf(LanguageModel model, int tokens, EngineOptions options)
    {
        using InferenceEngine engine = new(model, options);
        using Sequence sequence = engine.NewSequence();
        sequence.Append([.. Enumerable.Range(0, tokens).Select(i => (i * 37 + 11) % Math.Min(256, model.Config.Vocabulary))]);
        return engine.ComputeLogits(sequence);
    }

    /// <summary>The largest difference, as a part of the largest logit or of one.</summary>
    static double Distance(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double most = Math.Max(1, expected.Max(row => row.Max(MathF.Abs)));
        return expected.Zip(actual).Max(rows => rows.First.Zip(rows.Second).Max(pair => Math.Abs(pair.First - pair.Second))) / most;
    }

    static void AssertSame(float[][] expected, float[][] actual, string how)
    {
        for (int row = 0; row < expected.Length; row++)
            Assert.True(MemoryMarshal.AsBytes<float>(expected[row]).SequenceEqual(MemoryMarshal.AsBytes<float>(actual[row])),
                $"token {row} differs: {how}");
    }
}
