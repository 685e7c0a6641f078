using CsCheck;
using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Archive;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Tiers;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Layers with windows have blocks of their own and keep what somebody may go on from. Whatever of both kinds of blocks is there, logits,
/// keys and values are those without any cache, and nothing is computed that need not be.
/// </summary>
public sealed class WindowedLayersTests : IDisposable
{
    const int Window = 40, Block = 16;

    static readonly TinyModel s_tiny = TinyModel.Gemma3 with { Window = Window };

    readonly TemporaryFolder _folder = new();
    readonly LanguageModel _model;

    public WindowedLayersTests() => _model = LanguageModel.Load(s_tiny.WriteTo(_folder["tiny.gguf"]));

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static int[] Prompt(int length, int kind = 0) => [.. Enumerable.Range(0, length).Select(i => (i * 53 + i / 16 + kind * 7) % 250)];

    static readonly EngineOptions s_options = new() { Context = 512, Sequences = 2, PrefillChunk = 24, KvWindows = 16 };

    CachedEngine.Answer Fresh(int[] prompt)
    {
        using CachedEngine engine = new(_model, s_options with
        {
            Context = 2048,
            KvReuse = KvReuse.WithinSequence,
            KvWholeBlocks = true,
        });
        return engine.Ask(prompt);
    }

    /// <summary>Logits alone: blocks of all layers have other bytes than those of some.</summary>
    static void AssertSameLogits(CachedEngine.Answer expected, CachedEngine.Answer answer, string how) =>
        (answer with { Blocks = [] }).AssertSameBits(expected with { Blocks = [] }, how);

    [Fact]
    public void Whatever_is_gone_is_computed_with_all_that_it_needs_and_no_more()
    {
        const int blocks = 9;
        int[] prompt = Prompt(blocks * Block + 7);
        CachedEngine.Answer fresh = Fresh(prompt);
        using CachedEngine engine = new(_model, s_options);
        TieredKvCache full = engine.Cache, windows = full.Windows!;
        CachedEngine.Answer first = engine.Ask(prompt);
        AssertSameLogits(fresh, first, "with blocks of their own");
        Gen.Select(Gen.Bool.Array[blocks + 1], Gen.Frequency((3, Gen.Const(true)), (1, Gen.Const(false))).Array[blocks + 1],
            Gen.Int[1, 60]).Sample((has, seen, chunk) =>
        {
            engine.Drop(prompt, block => !has[block]);
            foreach ((int block, BlockKey key) in windows.Keys(prompt).Index())
                if (!seen[block])
                    windows.Device.TryDrop(key);
            // what an earlier round dropped and had no need of is gone, too
            has = [.. full.Keys(prompt).Select(full.Device.Contains)];
            seen = [.. windows.Keys(prompt).Select(windows.Device.Contains)];
            int expected = Needed(has, seen, prompt.Length - 1);
            CachedEngine.Answer answer = engine.Ask(prompt);
            string how = $"{string.Concat(has.Select(Digit))} {string.Concat(seen.Select(Digit))}";
            first.AssertSameBits(answer, how);
            Assert.True(expected == answer.Computed, $"{answer.Computed} computed instead of {expected}: {how}");
            Assert.Equal(prompt.Length - expected, answer.Use.Reused);
        }, iter: 300, threads: 1);

        static char Digit(bool bit) => bit ? '1' : '0';
    }

    /// <summary>What has to be computed, token by token: what is missing, and of what that sees, what is missing in the windows.</summary>
    static int Needed(bool[] has, bool[] seen, int last)
    {
        bool[] computed = [.. Enumerable.Range(0, last + 1).Select(
            token => token == last || !has[token / Block] || IsTail(token) && !seen[^1])];
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int token = last; token >= 0; token--)
                for (int other = Math.Max(0, token - Window + 1); computed[token] && other < token; other++)
                    if (!computed[other] && !seen[other / Block])
                    {
                        Array.Fill(computed, true, other / Block * Block, Math.Min(Block, last - other / Block * Block));
                        changed = true;
                    }
        }
        return computed.Count(token => token);

        bool IsTail(int token) => token / Block == has.Length - 1;
    }

    [Fact]
    public async Task The_blocks_of_windows_are_no_other_models()
    {
        int[] prompt = Prompt(100);
        using CachedEngine engine = new(_model, s_options with { KvDisk = CachedEngine.Disk(_folder["kv"]) });
        PrefixLookup before = await engine.Cache.Lookup(prompt); // finds out why when it is asked, below
        engine.Ask(prompt);
        engine.Flush();
        Assert.Equal(MissReason.NeverSeen, Assert.Single(before.Misses).Reason);
        PrefixLookup salted = await engine.Cache.Lookup(prompt, "bob"u8.ToArray());
        Assert.Equal(MissReason.OtherSalt, Assert.Single(salted.Misses).Reason);
    }

    [Fact]
    public void The_next_turn_goes_on_from_the_disk_in_another_process_with_what_it_needs_there()
    {
        int[] prompt = Prompt(331);
        EngineOptions options = s_options with { KvDisk = CachedEngine.Disk(_folder["kv"]) };
        using (CachedEngine engine = new(_model, options))
            engine.Ask(prompt[..300]);
        using CachedEngine next = new(_model, options);
        CachedEngine.Answer answer = next.Ask(prompt);
        AssertSameLogits(Fresh(prompt), answer, "the next turn");
        Assert.Equal((300, 31), (answer.Use.Disk, answer.Computed));
        next.Flush();
        // of 300 tokens one window and what is left of its first block, of 331 the same again
        int kept = next.Cache.Windows!.Disk!.Content().Blocks is var blocks ? (int)blocks : 0;
        Assert.InRange(kept, 3, 2 * (Window / Block + 3));
        Assert.True(next.Cache.Disk!.Content().Blocks >= 331 / Block);
    }

    [Fact]
    public void Where_prompts_part_is_remembered_when_it_has_cost_something_once()
    {
        int[] first = Prompt(200), second = [.. first[..96], .. Prompt(64, kind: 1)], third = [.. first[..96], .. Prompt(64, kind: 2)];
        EngineOptions options = s_options with { KvDisk = CachedEngine.Disk(_folder["kv"]) };
        Assert.Equal(200, AskAlone(first).Computed);
        CachedEngine.Answer again = AskAlone(second);
        Assert.Equal(second.Length, again.Computed); // the window before 96 was nobody's end
        Assert.Equal((0, 96), again.Use.Misses.Where(miss => miss.Reason == MissReason.WindowGone)
            .Aggregate((int.MaxValue, 0), (range, miss) => (Math.Min(range.Item1, miss.From), Math.Max(range.Item2, miss.To))));
        // of six blocks that were computed again the last alone begins something: before 96 and before 160 four blocks are seen
        using (CachedEngine engine = new(_model, options))
            Assert.Equal("0011111111", string.Concat(engine.Cache.Windows!.Keys(second).Select(
                key => engine.Cache.Windows.Disk!.Contains(key) ? '1' : '0')));
        CachedEngine.Answer found = AskAlone(third);
        Assert.Equal((96, third.Length - 96), (found.Use.Disk, found.Computed));
        AssertSameLogits(Fresh(third), found, "from where prompts part");

        CachedEngine.Answer AskAlone(int[] prompt)
        {
            using CachedEngine engine = new(_model, options);
            return engine.Ask(prompt);
        }
    }

    /// <summary>What is counted as kept is what whoever goes on finds, whatever of the windows is gone from the disk.</summary>
    [Theory]
    [InlineData(200)]
    [InlineData(40, 11)] // blocks 9 and 10, and the tail: what block 11 sees was kept for nobody, down to the start
    [InlineData(192, 12)]
    [InlineData(200, 0)]
    public async Task Kept_is_what_is_found_again(int kept, params int[] gone)
    {
        int[] prompt = Prompt(200), next = [.. prompt, 1];
        EngineOptions options = s_options with { KvDisk = CachedEngine.Disk(_folder["kv"]) };
        using (CachedEngine engine = new(_model, options))
            engine.Ask(prompt);
        using CachedEngine other = new(_model, options);
        IReadOnlyList<BlockKey> windows = other.Cache.Windows!.Keys(prompt);
        other.Cache.Windows.Evict([.. gone.Select(block => windows[block])]);
        Assert.Equal(kept, await other.Cache.CountKept(other.Cache.Durable!, prompt));
        PrefixLookup lookup = await other.Cache.Lookup(next);
        Assert.Equal((kept, 200 - kept), (lookup.TokensIn(Tier.Disk), lookup.Misses.Where(miss => miss.Reason == MissReason.WindowGone)
            .Sum(miss => miss.To - miss.From)));
        CachedEngine.Answer answer = other.Ask(next);
        Assert.Equal((kept, next.Length - kept), (answer.Use.Disk, answer.Computed));
        Assert.Equal(200 - kept, answer.Use.Misses.Sum(miss => miss.To - miss.From));
    }

    [Theory]
    [InlineData(ReadOutcome.IoError)]
    [InlineData(ReadOutcome.WrongPayloadChecksum)]
    public void Windows_that_do_not_come_are_computed_with_what_they_see(ReadOutcome outcome)
    {
        int[] prompt = Prompt(300);
        FakeTier? store = null;
        using CachedEngine engine = new(_model, s_options with
        {
            KvFurtherTiers = [(layout, _) => layout.Layers.Any(layer => layer.State is Kvasir.KvCache.Layout.LayerState.Window)
                ? store = new FakeTier(layout) : new FakeTier(layout)],
        });
        engine.Ask(prompt);
        engine.Flush();
        engine.Drop(prompt, _ => true);
        foreach (BlockKey key in engine.Cache.Windows!.Keys(prompt))
            engine.Cache.Windows.Device.TryDrop(key);
        store!.Outcome = outcome;
        CachedEngine.Answer answer = engine.Ask(prompt);
        AssertSameLogits(Fresh(prompt), answer, "windows lost");
        Assert.Equal((300, 0), (answer.Computed, answer.Use.Reused));
        Assert.Contains(answer.Use.Misses, miss => miss.Reason == MissReason.LoadFailed);
    }

    [Fact]
    public async Task Many_at_a_time_with_room_for_few_windows_answer_as_if_alone()
    {
        int[][] prompts = [.. Enumerable.Range(0, 12).Select(i => (int[])[.. Prompt(60 + i % 3 * 50), .. Prompt(20 + i * 5, kind: i)])];
        IReadOnlyList<int>[] expected;
        using (InferenceEngine alone = new(_model, s_options with { KvReuse = KvReuse.Off, KvWholeBlocks = true }))
            expected = await Task.WhenAll(prompts.Select(prompt => Tokens(alone, prompt)));
        using CachedEngine engine = new(_model, s_options with { KvWindows = 3, Sequences = 6, KvHostBytes = 1 << 20, PrefillChunk = 48 });
        for (int round = 0; round < 3; round++)
            await Task.WhenAll(prompts.Select((prompt, i) =>
                Task.Run(async () => Assert.Equal(expected[i], await Tokens(engine.Engine, prompt)))));
        PoolCounts windows = engine.Cache.Windows!.Device.CheckConservation();
        Assert.Equal((0, engine.Engine.Room.WindowBlocks), (windows.Leased, windows.Total));

        static async Task<IReadOnlyList<int>> Tokens(InferenceEngine engine, int[] prompt) => (await engine.Start(prompt,
            new GenerationOptions { MaxTokens = 60, IgnoresEnds = true }, cancellation: Cancellation).Result).TokenIds;
    }

    /// <summary>Turn after turn, cut back now and then, with pages in between: the windows are those of where it goes on.</summary>
    [Fact]
    public void A_conversation_that_is_cut_back_goes_on_exactly()
    {
        using CachedEngine engine = new(_model, s_options with { KvHostBytes = 1 << 20 });
        using Sequence sequence = engine.Engine.NewSequence();
        int[] turns = Prompt(240);
        sequence.Append(turns.AsSpan(0, 100));
        engine.Engine.Generate(sequence, new GenerationOptions { MaxTokens = 70, IgnoresEnds = true }, _ => { }, Cancellation);
        int[] tokens = [.. sequence.Tokens, .. turns[100..130]];
        sequence.Append(turns.AsSpan(100, 30));
        GenerationResult next = engine.Engine.Generate(sequence, new GenerationOptions { MaxTokens = 1 }, _ => { }, Cancellation);
        Assert.Equal(31, next.ComputedTokens); // the last of the answer, and the turn
        sequence.Blocks.Cut(112);
        while (sequence.Cached < tokens.Length)
            engine.Engine.Forward(sequence, tokens.Length);
        using InferenceEngine oracle = new(_model, s_options with { KvReuse = KvReuse.Off, KvWholeBlocks = true });
        using Sequence plain = oracle.NewSequence();
        plain.Append(tokens);
        oracle.Forward(plain, tokens.Length - 1);
        Assert.Equal(sequence.Tokens[tokens.Length..].ToArray(),
            oracle.Generate(plain, new GenerationOptions { MaxTokens = 1 }, _ => { }, Cancellation).TokenIds);
    }

    [Fact]
    public async Task A_view_is_refused_by_name_and_made_where_blocks_are_whole()
    {
        var policy = Kvasir.KvCache.Retention.RetentionPolicy.Parse("window:32,min=16")!;
        GenerationOptions options = new() { MaxTokens = 2, Retention = new RetentionOptions(policy) };
        using (CachedEngine engine = new(_model, s_options))
            Assert.Contains("layers with windows", Assert.Throws<ArgumentException>(() => engine.Engine.Start(Prompt(100), options,
                cancellation: Cancellation)).Message,
                StringComparison.Ordinal);
        using InferenceEngine whole = new(_model, s_options with { KvWholeBlocks = true });
        Assert.Null(whole.Cache.Windows);
        GenerationResult result = await whole.Start(Prompt(100), options, cancellation: Cancellation).Result;
        Assert.NotNull(result.Kv.Retention?.View);
    }

    /// <summary>Pools of real shapes, for one sequence at 32,768 tokens, beside the formula.</summary>
    [Theory]
    [InlineData("gemma-3-1b", "f16", 1.1)]
    [InlineData("gemma-3-4b", "f16", 1.1)]
    [InlineData("gemma-3-1b", "q8_0", 1.12)] // 6 % of it to fill pages: a block of eight bits has eight and a half
    public void A_pool_for_a_long_context_takes_a_tenth_more_than_the_formula_at_most(string name, string type, double most)
    {
        ModelSpec spec = ModelCatalogue.Find(name)!;
        ContextRoom room = ContextRoom.Of(spec, StoredAs.Both(StoredAs.Codec(type)) with { Context = 32768 });
        long formula = new KvSize(spec, ElementType.Find(type, ElementType.OfKv)!).Bytes(32768);
        Assert.InRange(room.PoolBytes, formula, most * formula);
        Assert.True(ContextRoom.Of(spec, new EngineOptions { Context = 32768, KvWholeBlocks = true }).PoolBytes > 2 * room.PoolBytes);
    }

    /// <summary>What streams are the layers that see everything: windows are small, and stay in the pool.</summary>
    [Theory]
    [InlineData(1 << 20, false)]
    [InlineData(0, true)]
    [InlineData(40 << 10, true)]
    public void A_context_longer_than_the_pool_streams_beside_its_windows(int host, bool disk)
    {
        int[] prompt = Prompt(1500);
        EngineOptions options = s_options with { Context = 2048, Sequences = 1, KvWindows = 1 };
        long windows = ContextRoom.Of(_model.Config, options).WindowBytes;
        using CachedEngine engine = new(_model, options with
        {
            KvHostBytes = host,
            KvDisk = disk ? CachedEngine.Disk(_folder["kv"]) : null,
            KvDeviceBytes = windows + (disk ? 320 << 10 : 64 << 10),
        });
        Assert.True(engine.Engine.Room.Streams);
        foreach (int length in (int[])[1500, 1440, 1500])
        {
            using Sequence sequence = engine.Engine.NewSequence();
            sequence.Append(prompt.AsSpan(0, length));
            sequence.Blocks.BeginRequest(length);
            sequence.Blocks.Match(sequence.Tokens);
            float[] logits = engine.Engine.Forward(sequence, progress: null, Cancellation).ToArray();
            sequence.Blocks.EndRequest();
            Assert.Equal(Fresh(prompt[..length]).Logits, logits);
        }
    }

    [Fact]
    public async Task Lookups_archives_pins_and_evictions_know_the_windows()
    {
        int[] prompt = Prompt(200);
        EngineOptions options = s_options with { KvHostBytes = 1 << 20 };
        using CachedEngine engine = new(_model, options with { KvDisk = CachedEngine.Disk(_folder["kv"]) });
        engine.Ask(prompt);
        IReadOnlyList<BlockKey> keys = engine.Cache.Keys(prompt);
        TieredKvCache windows = engine.Cache.Windows!;
        engine.Cache.Pin(keys, "a test", DateTimeOffset.UtcNow.AddDays(1), TimeSpan.FromSeconds(20));
        Assert.InRange(windows.Disk!.Content().PinnedBlocks - keys.Count, Window / Block, Window / Block + 3); // of both
        engine.Cache.Unpin("a test");
        Assert.Equal(0, windows.Disk!.Content().PinnedBlocks);

        using MemoryStream archive = new();
        await KvArchive.Write(engine.Cache, keys, archive, Cancellation);
        using (CachedEngine other = new(_model, options))
        {
            await KvArchive.Read(other.Cache, new MemoryStream(archive.ToArray()), Cancellation);
            PrefixLookup there = await other.Cache.Lookup([.. prompt, 1]);
            Assert.Equal((200, 0), (there.TokensIn(Tier.Host), there.Misses.Count));
            CachedEngine.Answer answer = other.Ask([.. prompt, 1]);
            Assert.Equal(1, answer.Computed);
            AssertSameLogits(Fresh([.. prompt, 1]), answer, "from an archive");
            foreach (BlockKey key in other.Cache.Windows!.Keys(prompt).Take(11)) // the window before 192 begins in the tenth
                _ = other.Cache.Windows.Evict([key]);
            PrefixLookup parted = await other.Cache.Lookup([.. prompt[..184], 1, 2]);
            Miss gone = Assert.Single(parted.Misses, miss => miss.Reason == MissReason.WindowGone);
            Assert.Equal((0, 176), (gone.From, gone.To));
        }
        Assert.Equal(0, engine.Cache.Evict(keys).Kept);
        Assert.Equal((0, 0L), (windows.Device.Counts.Cached, windows.Disk!.Content().Blocks));
    }

    /// <summary>The bytes of one long sequence on every tier, beside those that the layers keep by the formula.</summary>
    [Fact]
    public void One_long_sequence_takes_what_its_layers_keep_on_every_tier()
    {
        const int length = 4000, window = 64;
        TinyModel tiny = s_tiny with { Window = window, HeadDim = 64, KvHeads = 2 };
        using LanguageModel model = LanguageModel.Load(tiny.WriteTo(_folder["long.gguf"]));
        using CachedEngine engine = new(model, new EngineOptions
        {
            Context = length + 1, PrefillChunk = 64, KvHostBytes = 64 << 20, KvDisk = CachedEngine.Disk(_folder["long"]),
        });
        engine.Ask(Prompt(length));
        engine.Flush();
        TieredKvCache full = engine.Cache, windows = full.Windows!;
        long formula = length * full.Layout.BytesPerToken + window * windows.Layout.BytesPerToken;
        Assert.Equal(engine.Engine.Room.PoolBytes, Bytes(full.Device) + Bytes(windows.Device));
        Assert.InRange(Kept(tier => tier.Host!.Counts.Cached), formula, 1.1 * formula);
        Assert.InRange(Kept(tier => (int)tier.Disk!.Content().Blocks), formula, 1.1 * formula);

        static long Bytes(BlockPool pool) => pool.Counts.Total * pool.Layout.StrideBytes;
        long Kept(Func<TieredKvCache, int> blocks) => blocks(full) * full.Layout.BlockBytes + blocks(windows) * windows.Layout.BlockBytes;
    }
}
