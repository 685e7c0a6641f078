using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Conversations that come and go under pressure, for a while: leases return to zero after each, and the hit rate of the last rounds is not
/// below that of the first. A short one runs with all tests; <c>KVASIR_SOAK_ROUNDS=20000 Kvasir.Tests -class '*SoakTests'</c> takes longer.
/// </summary>
public sealed class SoakTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("KVASIR_SOAK_ROUNDS"), out int rounds) ? rounds : 300;

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Leases_return_to_zero_and_the_hit_rate_does_not_decay()
    {
        using InferenceEngine engine = new(_model, new EngineOptions
        {
            Context = 256, Sequences = 3, KvHostBytes = 60 * 49152,
            KvDisk = CachedEngine.Disk(_folder["kv"]) with { MaxBytes = 150 * 53248 },
        });
        var random = new Random(11);
        (int Tokens, int Hits)[] quarters = new (int, int)[4];
        for (int round = 0; round < Rounds; round++)
        {
            GenerationResult result = Converse(engine, random, round);
            ref (int Tokens, int Hits) quarter = ref quarters[round * 4 / Rounds];
            quarter = (quarter.Tokens + result.PromptTokens, quarter.Hits + result.ReusedTokens);
            if (round % 50 == 0)
                engine.AssertNothingLeased();
        }
        engine.AssertNothingLeased();
        double second = (double)quarters[1].Hits / quarters[1].Tokens, last = (double)quarters[3].Hits / quarters[3].Tokens;
        Assert.True(last > second - 0.05, $"hit rate {second:P1} in the second quarter, {last:P1} in the last");
        Assert.InRange(second, 0.2, 0.98); // some pressure, and some use
    }

    /// <summary>One of a few popular beginnings, or something that nobody says again; sometimes given up in the middle.</summary>
    static GenerationResult Converse(InferenceEngine engine, Random random, int round)
    {
        bool popular = random.Next(3) > 0;
        int topic = popular ? random.Next(12) : 1000 + round, length = random.Next(30, 200);
        using Sequence sequence = engine.NewSequence();
        sequence.Append([.. Enumerable.Range(0, length).Select(i => 260 + (i * 31 + topic * 97) % 700)]);
        using var cancellation = new CancellationTokenSource();
        if (random.Next(10) == 0)
            cancellation.CancelAfter(TimeSpan.FromMilliseconds(random.Next(10)));
        return engine.Generate(sequence, new GenerationOptions { MaxTokens = random.Next(1, 5) }, _ => { }, cancellation.Token);
    }
}
