using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Blocks so large that their layers come in groups: attention to the first layers begins while the last are still read, and each group
/// can be late or broken on its own.
/// </summary>
public sealed class LayerGroupTests : IDisposable
{
    const int Length = 150;

    readonly TemporaryFolder _folder = new();
    readonly LanguageModel _model;
    volatile Action _onRead = () => { };

    public LayerGroupTests() =>
        _model = LanguageModel.Load(
            (TinyModel.Llama with { Layers = 12, Heads = 8, KvHeads = 8, HeadDim = 128, FeedForward = 64 }).WriteTo(_folder["wide.gguf"]));

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static int[] Prompt(int last = 0) => [.. Enumerable.Range(0, Length - 1).Select(i => (i * 31 + 7) % 200), last];

    EngineOptions Options(long host = 0) => new()
    {
        Context = 256, Sequences = 2, KvHostBytes = host,
        KvDisk = CachedEngine.Disk(_folder["kv"]) with { MaxBytes = 256 << 20, FaultPoint = step => { if (step == "read") _onRead(); } },
    };

    CachedEngine.Answer Fresh(int last = 0)
    {
        using CachedEngine engine = new(_model, Options() with { KvReuse = KvReuse.WithinSequence });
        return engine.Ask(Prompt(last));
    }

    [Fact]
    public void A_block_is_cut_at_pages_into_groups_that_cover_all_layers()
    {
        using CachedEngine engine = new(_model, Options());
        LayerGroup[] groups = [.. engine.Cache.Groups];
        Assert.Equal(3, groups.Length);
        Assert.Equal((0, 12), (groups[0].FirstLayer, groups[^1].EndLayer));
        Assert.Equal(engine.Engine.Layout.BlockBytes, groups.Sum(group => group.Bytes));
        Assert.All(groups, group => Assert.True(group.Offset % KvLayout.PageBytes == 0 && group.Bytes >= DiskTier.LeastGroupBytes));
        Assert.All(groups.Zip(groups.Skip(1)), pair =>
            Assert.Equal((pair.First.EndLayer, pair.First.Offset + pair.First.Bytes), (pair.Second.FirstLayer, pair.Second.Offset)));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Every_tier_gives_the_same_bits_and_so_does_a_copied_tail(bool fromHost)
    {
        using CachedEngine engine = new(_model, Options(fromHost ? 64 << 20 : 0));
        engine.Ask(Prompt());
        engine.Flush();
        engine.Drop(Prompt(), _ => true, deviceOnly: true);
        CachedEngine.Answer answer = engine.Ask(Prompt(last: 5)); // the tail goes on differently
        Assert.Equal((1, Length - 1), (answer.Computed, fromHost ? answer.Use.Host : answer.Use.Disk));
        answer.AssertSameBits(Fresh(last: 5), "in groups");
    }

    [Fact]
    public void A_sequence_that_waits_for_all_layers_at_once_gets_all_of_a_tail()
    {
        using CachedEngine engine = new(_model, Options());
        engine.Ask(Prompt());
        engine.Flush();
        engine.Drop(Prompt(), _ => true);
        using Sequence sequence = engine.Engine.NewSequence();
        sequence.Append(Prompt(last: 5));
        sequence.Blocks.BeginRequest(Length);
        sequence.Blocks.Match(sequence.Tokens);
        sequence.Blocks.WaitForAll();
        Assert.Equal(Length - 1, sequence.Blocks.Use.Disk);
        float[] logits = engine.Engine.Forward(sequence, progress: null, CancellationToken.None).ToArray();
        Assert.Equal(Fresh(last: 5).Logits, logits);
    }

    [Fact]
    public void The_first_layers_are_ready_while_the_last_are_still_to_be_read()
    {
        CachedEngine.Answer expected = Fresh();
        using CachedEngine engine = new(_model, Options());
        engine.Ask(Prompt());
        engine.Flush();
        engine.Drop(Prompt(), _ => true);
        using var gate = new ManualResetEventSlim();
        int reads = 0;
        _onRead = () =>
        {
            // ten blocks, of which the first groups come at once; three of the four threads may be ahead of the last
            if (Interlocked.Increment(ref reads) > 13)
                gate.Wait();
        };
        using Sequence sequence = engine.Engine.NewSequence();
        sequence.Append(Prompt());
        sequence.Blocks.BeginRequest(Length);
        sequence.Blocks.Match(sequence.Tokens);
        int firstOfSecondGroup = engine.Cache.Groups[1].FirstLayer;
        Assert.True(sequence.Blocks.WaitForLayer(0) && sequence.Blocks.WaitForLayer(firstOfSecondGroup - 1));
        Assert.True(sequence.Blocks.IsWaiting);
        gate.Set();
        Assert.Equal(expected.Logits, engine.Engine.Forward(sequence, progress: null, CancellationToken.None).ToArray());
        Assert.Equal((30, 1, Length - 1), (reads, (int)sequence.Computed, sequence.Blocks.Use.Disk));
    }

    [Fact]
    public void Groups_that_fail_or_come_too_late_in_the_middle_of_a_pass_leave_holes_that_are_filled_exactly()
    {
        CachedEngine.Answer expected = Fresh();
        var random = new Random(3);
        int failed = 0, late = 0;
        for (int round = 0; round < 12; round++)
        {
            using CachedEngine engine = new(_model, Options(), learns: true);
            engine.Ask(Prompt());
            engine.Flush();
            engine.Drop(Prompt(), _ => true);
            int[] fates = [.. Enumerable.Range(0, 64).Select(_ => random.Next(7))];
            int reads = 0;
            engine.Cache.Costs.Computed(1000, TimeSpan.FromSeconds(1)); // so that patience is short
            _onRead = () =>
            {
                int fate = fates[Interlocked.Increment(ref reads) % fates.Length];
                if (fate == 0)
                    throw new IOException("Input/output error");
                if (fate == 1 && round % 3 == 0)
                    Thread.Sleep(250);
            };
            CachedEngine.Answer answer = engine.Ask(Prompt());
            _onRead = () => { };
            failed += answer.Use.Misses.Count(miss => miss.Reason == Kvasir.KvCache.Lookups.MissReason.LoadFailed);
            late += answer.Use.Misses.Count(miss => miss.Reason == Kvasir.KvCache.Lookups.MissReason.TooLate);
            Assert.Equal(Length, answer.Computed + answer.Use.Reused);
            answer.AssertSameBits(expected, $"round {round}");
        }
        Assert.True(failed > 2 && late > 0, $"{failed} failed, {late} late");
    }
}
