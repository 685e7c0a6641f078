using System.Diagnostics;
using CsCheck;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Model;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Synthesis;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>What sequences longer than the pool will cost, before they do: room and time.</summary>
public sealed class StreamForecastTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    long Stride => new KvLayout(16, F16Codec.Instance, KvLayers.Of(_model.Config)).StrideBytes;

    static int[] Prompt(int length, int seed = 0) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 53 + i / 16 + seed * 7) % 700)];

    EngineOptions Streamed(int context, int pool, int host, Action<string>? fault = null, Func<long>? free = null) => new()
    {
        Context = context, PrefillChunk = 64, Threads = 2, KvDeviceBytes = pool * Stride, KvHostBytes = host * Stride,
        KvDisk = CachedEngine.Disk(_folder["kv"]) with { FaultPoint = fault, FreeSpace = free },
    };

    static Completion Start(InferenceEngine engine, int[] prompt, int tokens) => engine.Start(
        prompt, new GenerationOptions { MaxTokens = tokens, IgnoresEnds = true, Sampling = new() { Temperature = 0 } },
        cancellation: TestContext.Current.CancellationToken);

    [Fact]
    public void A_sequence_lies_in_the_pool_then_in_the_host_and_then_on_the_disk()
    {
        TierBlocks room = new(10, 5, 20);
        Assert.Equal(new TierBlocks(7, 0, 0), room.Fill(7));
        Assert.Equal(new TierBlocks(10, 2, 0), room.Fill(12));
        Assert.Equal(new TierBlocks(10, 5, 20), room.Fill(100));
    }

    /// <summary>What is said of a context before is what an engine has, or why there is none.</summary>
    [Fact]
    public void Room_is_what_an_engine_has_whatever_the_sizes() =>
        Gen.Select(Gen.Int[1, 120], Gen.Int[0, 60], Gen.Int[0, 80], Gen.Int[1, 1500], Gen.Int[1, 300]).Sample(sizes =>
        {
            (int pool, int host, int disk, int context, int chunk) = sizes;
            EngineOptions options = Streamed(context, pool, host) with { PrefillChunk = chunk };
            long bytes = disk * StreamFile.BytesFor(Layout, 1);
            options = options with { KvDisk = disk == 0 ? null : options.KvDisk! with { MaxBytes = bytes } };
            var room = ContextRoom.Of(_model.Config, options);
            if (room.Problem is { } problem)
            {
                Assert.Equal(problem, Assert.Throws<ArgumentException>(() => new InferenceEngine(_model, options)).Message);
                Assert.DoesNotContain('\n', problem);
                return;
            }
            Assert.Equal(0, room.Missing);
            using InferenceEngine engine = new(_model, options);
            Assert.Equal(room.Capacity.Pool, engine.Cache.Device.Counts.Total);
            Assert.Equal(room.Streams, engine.Cache.Streamed is not null);
            if (!room.Streams)
                return;
            Assert.Equal(host, engine.Cache.Streamed!.Host?.Counts.Total ?? 0);
            Assert.Equal(room.Capacity.Host, host);
            Assert.Equal(Math.Min(room.Capacity.Disk, 2 * room.Blocks), engine.Cache.Streamed.File?.Counts.Total ?? 0);
            Assert.True(engine.Cache.Streamed.Capacity + room.Capacity.Pool >= room.Blocks);
        }, iter: 60, threads: 1);

    KvLayout Layout => new(16, F16Codec.Instance, KvLayers.Of(_model.Config));

    /// <summary>A disk that takes its time, so that nothing else counts.</summary>
    [Fact]
    public async Task What_a_step_reads_and_takes_is_foreseen_when_a_sequence_is_admitted()
    {
        const int tokens = 1200;
        using InferenceEngine engine = new(_model, Streamed(1400, 40, 8, fault: what =>
        {
            if (what == "stream read")
                Thread.Sleep(5);
        }));
        Assert.Null(engine.Foresee(engine.Context)!.Step); // nobody has measured this disk
        GenerationResult result = await Start(engine, Prompt(tokens), 1).Result;
        result = await Start(engine, Prompt(tokens, seed: 1), 6).Result;
        StreamForecast foreseen = result.Kv.Foreseen!;
        long blocks = tokens / 16, disk = blocks - engine.Room.Capacity.Pool - 8;
        Assert.Equal((blocks, 8, disk, disk * Layout.BlockBytes), (foreseen.Blocks, foreseen.Host, foreseen.Disk, foreseen.DiskBytes));
        Assert.InRange(result.Kv.Streamed!.Disk, disk, disk + StreamFile.MostAtOnce + 1); // moved some at a time
        Assert.InRange(result.StepSeconds / foreseen.Step!.Value.TotalSeconds, 0.4, 3);
        Assert.Contains("(reading foreseen: at least ", StreamText.Of(result.Kv.Streamed, result.StepSeconds, foreseen));
        StreamCounts counts = engine.Streaming!;
        Assert.True(counts is { ReadBytes: > 0, DiskBytesPerS: > 0 } && counts.ReadTime >= counts.Waited / 2, $"{counts}");
        engine.AssertNothingLeased();
    }

    [Fact]
    public void What_fits_the_pool_is_nothing_to_foresee()
    {
        using InferenceEngine engine = new(_model, Streamed(1400, 40, 8));
        Assert.Null(engine.Foresee(16));
        using InferenceEngine whole = new(_model, new EngineOptions { Context = 256 });
        Assert.Null(whole.Foresee(256));
        Assert.Null(whole.Streaming);
    }

    [Fact]
    public void A_disk_is_known_by_the_nearest_directory_that_was_measured()
    {
        DiskLimits Of(string directory, double speed) => new(directory, true, 1, speed, 1, 1, DateTimeOffset.UnixEpoch);
        string root = Path.GetFullPath(_folder["a"]);
        MachineLimits limits = MachineLimits.Unmeasured(MachineIdentity.Current()).With(Of(root, 5)).With(Of(Path.Combine(root, "b"), 7));
        Assert.Equal(7, KnownLimits.DiskReadBytesPerS(limits, Path.Combine(root, "b", "kv")));
        Assert.Equal(5, KnownLimits.DiskReadBytesPerS(limits, Path.Combine(root, "c")));
        Assert.Null(KnownLimits.DiskReadBytesPerS(limits, Path.GetFullPath(_folder["elsewhere"])));
    }

    /// <summary>A model of two small layers that was trained for 131,072 tokens.</summary>
    [Fact]
    public void Without_a_wish_the_context_is_the_models_as_far_as_tiers_have_room()
    {
        ModelSpec shape = ModelSpecs.WellKnown("llama-3.2-1b")!;
        shape = shape with
        {
            Width = 256,
            Vocabulary = 400,
            Layers = [.. shape.Layers.Take(2).Select(layer => layer with { FeedForward = layer.FeedForward! with { Width = 512 } })],
        };
        new SyntheticModel(shape, WeightMix.All["q8_0"]).Write(_folder["long.gguf"], cancellation: TestContext.Current.CancellationToken);
        using var model = LanguageModel.Load(_folder["long.gguf"]);
        EngineOptions options = new() { KvReuse = KvReuse.On };
        Assert.Equal(EngineOptions.DefaultContext, ContextFor(options));
        Assert.Equal(EngineOptions.DefaultContext, ContextFor(options with { KvReuse = KvReuse.Off, KvHostBytes = 1 << 30 }));
        long block = ContextRoom.Of(model.Config, options).Layout.StrideBytes;
        Assert.Equal(EngineOptions.DefaultContext + 16 * 100, ContextFor(options with { KvHostBytes = 100 * block }));
        DiskTierOptions large = CachedEngine.Disk(_folder["kv"]) with { MaxBytes = 1L << 40, FreeSpace = () => 1L << 40 };
        Assert.Equal(131_072, ContextFor(options with { KvDisk = large }));
        options = options with { KvDeviceBytes = 300 * block, KvHostBytes = 20 * block, KvDisk = CachedEngine.Disk(_folder["kv"]) };
        using InferenceEngine engine = new(model, options with { Context = ContextFor(options) }); // and that is not too much
        Assert.InRange(engine.Context, 320 * 16, 131_071);
        Assert.Throws<ArgumentException>(() => new InferenceEngine(model, options with { Context = engine.Context + 16 }));

        int ContextFor(EngineOptions of) => InferenceEngine.ContextFor(model, of, out _);
    }

    [Fact]
    public void A_disk_with_too_little_free_is_named_with_both_numbers_before_anything_is_computed()
    {
        EngineOptions options = Streamed(1400, 40, 8, free: () => 100_000);
        string message = Assert.Throws<ArgumentException>(() => new InferenceEngine(_model, options)).Message;
        Assert.Contains(_folder["kv"], message);
        Assert.Contains("100,000 bytes", message);
        var room = ContextRoom.Of(_model.Config, options);
        Assert.Contains($"expected {room.Lies.Disk * room.DiskBlockBytes:N0}", message);
        int fits = InferenceEngine.ContextFor(_model, options with { Context = null }, out bool isShort);
        Assert.True(isShort);
        using InferenceEngine less = new(_model, options with { Context = fits }); // what is said to fit does
        Assert.InRange(fits, 16 * 16, 1399);
    }

    [Fact]
    public async Task A_disk_that_others_fill_meanwhile_ends_the_request_with_both_numbers_and_nothing_else()
    {
        long free = 1 << 30;
        using InferenceEngine engine = new(_model, Streamed(1400, 40, 0, free: () => Volatile.Read(ref free)));
        Assert.Equal(2, (await Start(engine, Prompt(200), 2).Result).TokenIds.Count);
        Volatile.Write(ref free, 0);
        Exception failure = await Assert.ThrowsAnyAsync<Exception>(() => Start(engine, Prompt(1200), 4).Result);
        Assert.Contains(_folder["kv"], failure.Message);
        Assert.Contains("0 bytes may be taken", failure.Message);
        Assert.Equal(2, (await Start(engine, Prompt(200), 2).Result).TokenIds.Count);
        Volatile.Write(ref free, 1 << 30);
        Assert.Equal(2, (await Start(engine, Prompt(1200), 2).Result).TokenIds.Count); // it was no fault of the disk
        engine.AssertNothingLeased();
    }

    /// <summary>Sixteen short answers beside one that reads from a slow disk in every step.</summary>
    [Fact]
    public async Task Short_ones_keep_their_pace_beside_one_that_is_streamed()
    {
        using InferenceEngine engine = new(_model, Streamed(1400, 70, 0, fault: what =>
        {
            if (what == "stream read")
                Thread.Sleep(3);
        }) with
        { StepTime = TimeSpan.FromMilliseconds(20) });
        double[] alone = await Gaps(engine, 0);
        Completion huge = Start(engine, Prompt(900), 40);
        await huge.Pieces.WaitToReadAsync(TestContext.Current.CancellationToken); // the others take the room of its first blocks
        double[] beside = await Gaps(engine, 100);
        GenerationResult result = await huge.Result;
        Assert.NotNull(result.Kv.Streamed);
        double pass = 2 * Layout.BlocksFor(940) * Layout.BlockBytes / engine.Streaming!.DiskBytesPerS!.Value; // all of it
        Assert.InRange(Percentile.OfSorted(beside, 0.95), 0, 2.2 * Percentile.OfSorted(alone, 0.95) + pass);
        Assert.InRange(Percentile.OfSorted(beside, 0.5), 0, pass / 2 + 3 * Percentile.OfSorted(alone, 0.95)); // most steps are without it
        engine.AssertNothingLeased();
    }

    /// <summary>Seconds between tokens of sixteen answers, ascending.</summary>
    static async Task<double[]> Gaps(InferenceEngine engine, int seed)
    {
        double[][] gaps = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
        {
            List<double> between = [];
            long last = 0;
            await foreach (CompletionPiece _ in Start(engine, Prompt(12, seed + i), 19).Pieces.ReadAllAsync())
            {
                if (last > 0)
                    between.Add(Stopwatch.GetElapsedTime(last).TotalSeconds);
                last = Stopwatch.GetTimestamp();
            }
            return between.ToArray();
        })));
        return [.. gaps.SelectMany(each => each).Order()];
    }
}
