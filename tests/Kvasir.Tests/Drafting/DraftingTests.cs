using System.Globalization;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Retention;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;

namespace Kvasir.Tests.Drafting;

/// <summary>
/// Guessing tokens ahead changes nothing but time: tokens, texts, probabilities, hidden states and the cache are those of plain decoding.
/// </summary>
public sealed class DraftingTests : IDisposable
{
    static readonly int s_seeds = int.Parse(Environment.GetEnvironmentVariable("KVASIR_DRAFTS") ?? "96", CultureInfo.InvariantCulture);

    readonly LanguageModel _saga = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _saga.Dispose();
        _folder.Dispose();
    }

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static int[] Prompt(int length, int kind) => [.. Enumerable.Range(0, length).Select(i => (i % 11 * 31 + kind * 97 + i / 40) % 250)];

    LanguageModel Model(string name) => name switch
    {
        "saga" => _saga,
        "windows" => LanguageModel.Load((TinyModel.Gemma3 with { Window = 40 }).WriteTo(_folder["windows.gguf"])),
        _ => LanguageModel.Load(new TinyModel().WriteTo(_folder["tiny.gguf"])),
    };

    /// <summary>Batches mix answers that are guessed with others; short contexts end in the middle of guesses.</summary>
    [Theory]
    [InlineData("saga", "f16", false)]
    [InlineData("tiny", "f16", false)]
    [InlineData("saga", "q8_0", true)]
    [InlineData("windows", "f16", true)]
    public async Task Answers_are_the_plain_ones_to_the_last_bit(string name, string codec, bool isTight)
    {
        LanguageModel model = Model(name);
        Assert.True(KvCodecs.TryParse(codec, out IKvCodec? type));
        EngineOptions options = new() { Context = 128, Sequences = 16, Threads = 2, KvKeyCodec = type!, KvValueCodec = type! };
        using InferenceEngine plain = new(model, options with { Speculative = SpeculativeMode.Off });
        using InferenceEngine drafting = new(model, isTight ? options with { Sequences = 3, KvHostBytes = 8 << 20 } : options);
        string text = (await DraftedAnswer.Of(plain, Prompt(20, 0), new() { MaxTokens = 60, IgnoresEnds = true }, Patience)).Result.Text;
        int drafted = 0, accepted = 0, seeds = name == "saga" ? s_seeds / 2 : s_seeds;
        foreach (int[] some in Enumerable.Range(0, seeds).Chunk(16))
        {
            var expected = await Task.WhenAll(some.Select(seed =>
                DraftedAnswer.Of(plain, Prompt(5 + seed * 7 % 90, seed % 5), DraftedAnswer.Options(seed, text), Patience)));
            var actual = await Task.WhenAll(some.Select((seed, i) =>
                DraftedAnswer.Of(drafting, Prompt(5 + seed * 7 % 90, seed % 5), DraftedAnswer.Options(seed, text) with
                {
                    Speculative = seed % 4 == 0 ? new() : DraftedAnswer.Mistaken(expected[i].Result.TokenIds, seed, 1 + seed % 30),
                }, Patience)));
            foreach (int i in Enumerable.Range(0, some.Length))
                Assert.True(expected[i].Told == actual[i].Told, $"seed {some[i]}:\n{expected[i].Told}\n{actual[i].Told}");
            drafted += actual.Sum(answer => answer.Result.Drafts?.Drafted ?? 0);
            accepted += actual.Sum(answer => answer.Result.Drafts?.Accepted ?? 0);
        }
        Assert.InRange(accepted, seeds, drafted - seeds); // enough of both kinds
        drafting.AssertNothingLeased();
        if (model != _saga)
        {
            drafting.Dispose();
            plain.Dispose();
            model.Dispose();
        }
    }

    /// <summary>Blocks, their keys and bytes, and tails are those of plain decoding, whatever was guessed and refused.</summary>
    [Fact]
    public async Task What_is_left_in_the_cache_is_what_plain_decoding_leaves()
    {
        EngineOptions options = new() { Context = 256, Sequences = 8, Threads = 2 };
        int accepted = 0, rejected = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            using CachedEngine plain = new(_saga, options with { Speculative = SpeculativeMode.Off }), drafting = new(_saga, options);
            int[] prompt = Prompt(30 + seed, seed);
            GenerationOptions wanted = new()
            {
                MaxTokens = 10 + seed * 7, IgnoresEnds = true, Sampling = new() { Temperature = 1, Seed = 3 },
            };
            GenerationResult expected = (await DraftedAnswer.Of(plain.Engine, prompt, wanted, Patience)).Result;
            GenerationResult actual = (await DraftedAnswer.Of(drafting.Engine, prompt,
                wanted with { Speculative = DraftedAnswer.Mistaken(expected.TokenIds, seed) }, Patience)).Result;
            (accepted, rejected) = (accepted + actual.Drafts!.Accepted, rejected + actual.Drafts.Rejected);
            Assert.Equal(Kept(plain), Kept(drafting));
            Assert.Equal(plain.Cache.Device.Counts, drafting.Cache.Device.Counts);
            int[] all = [.. prompt, .. expected.TokenIds];
            drafting.Ask(all).AssertSameBits(plain.Ask(all), $"seed {seed}");
        }
        Assert.True(accepted > 100 && rejected > 100, $"{accepted} right and {rejected} wrong");
    }

    static string[] Kept(CachedEngine engine) => [.. engine.Cache.Device.List(1000)
        .Select(block => $"{block.Key} after {block.Parent}: {string.Join(' ', block.Tokens)}").Order()];

    [Fact]
    public async Task A_full_pool_a_cancelled_answer_and_a_restart_are_as_they_would_be_without()
    {
        EngineOptions options = new() { Context = 256, Threads = 2, KvHostBytes = 64 << 20, KvDisk = CachedEngine.Disk(_folder["kv"]) };
        GenerationOptions wanted = new() { MaxTokens = 150, IgnoresEnds = true, WantsHidden = true, Sampling = new() { Seed = 1 } };
        int[][] prompts = [.. Enumerable.Range(0, 5).Select(i => Prompt(30, i))];
        string[] expected;
        GenerationResult[] plainly;
        using (InferenceEngine roomy = new(_saga, new() { Context = 256, Sequences = 6, Speculative = SpeculativeMode.Off }))
        {
            var all = await Task.WhenAll(prompts.Select(prompt => DraftedAnswer.Of(roomy, prompt, wanted, Patience)));
            (expected, plainly) = ([.. all.Select(one => one.Told)], [.. all.Select(one => one.Result)]);
        }
        using (InferenceEngine tight = new(_saga, options with { Sequences = 2 }))
        {
            using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(Patience);
            Completion cancelled = tight.Start(
                prompts[0], wanted with { MaxTokens = null, Speculative = Guess(0) }, cancellation: soon.Token);
            Assert.True(await cancelled.Pieces.WaitToReadAsync(Patience));
            var all = prompts.Select((prompt, i) =>
                DraftedAnswer.Of(tight, prompt, wanted with { Speculative = Guess(i) }, Patience)).ToArray();
            await soon.CancelAsync();
            Assert.Equal(expected, (await Task.WhenAll(all)).Select(one => one.Told));
            IReadOnlyList<int> before = (await cancelled.Result).TokenIds;
            Assert.Equal(plainly[0].TokenIds, before.Take(150).Concat(plainly[0].TokenIds.Skip(before.Count)));
            Assert.True(tight.Serving.Preemptions > 0);
            tight.AssertNothingLeased();
        }
        using CachedEngine again = new(_saga, options);
        int[] answered = [.. prompts[1], .. plainly[1].TokenIds, 7];
        Assert.InRange(again.Ask(answered).Use.Disk, 160, answered.Length);

        SpeculativeOptions Guess(int i) => DraftedAnswer.Mistaken(plainly[i].TokenIds, i);
    }

    [Theory]
    [InlineData(null, 12)]
    [InlineData("replay:50%", 40)]
    [InlineData("quest:25%", 40)]
    public async Task Beyond_the_pool_and_behind_views_answers_are_the_same_with_guesses_and_without(string? policy, int poolBlocks)
    {
        int[] prompt = [.. _saga.Tokenizer.Encode(new SagaGenerator(5).Document(40).Text).Take(500)];
        GenerationOptions wanted = new()
        {
            MaxTokens = 40, IgnoresEnds = true, WantsHidden = true, Sampling = new() { Seed = 1 },
            Retention = policy is null ? null : new RetentionOptions(RetentionPolicy.Parse(policy)!),
        };
        EngineOptions options = new() { Context = 576, Sequences = 3, Threads = 2, PrefillChunk = 64, KvHostBytes = 64 << 20 };
        using InferenceEngine plain = new(_saga, options with { Speculative = SpeculativeMode.Off });
        (GenerationResult expected, string told) = await DraftedAnswer.Of(plain, prompt, wanted, Patience);
        using InferenceEngine drafting = new(_saga, policy is null
            ? options with { KvDeviceBytes = poolBlocks * plain.Layout.StrideBytes, Sequences = 1 } : options);
        (GenerationResult result, string actual) = await DraftedAnswer.Of(drafting, prompt,
            wanted with { Speculative = DraftedAnswer.Mistaken(expected.TokenIds, 1) }, Patience);
        Assert.Equal(told, actual);
        Assert.Equal(policy == "quest:25%", result.Drafts is null); // rows that choose pages are not guessed ahead
        drafting.AssertNothingLeased();
    }

    [Fact]
    public async Task Nothing_is_guessed_for_long_where_guesses_are_wrong()
    {
        using InferenceEngine engine = new(_saga, new() { Context = 1024, Threads = 2 });
        GenerationResult result = await engine.Start(Prompt(20, 1), new()
        {
            MaxTokens = 400, IgnoresEnds = true,
            Sampling = new() { Temperature = 100, TopK = 0, TopP = 1, MinP = 0, Seed = 1 },
        }, cancellation: Patience).Result;
        Assert.InRange(result.Drafts!.Drafted, 0, 60);
    }
}
