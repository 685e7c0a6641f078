using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>
/// How a policy changes what a model expects: little stories one after another, of which the first half is kept as the policy says and the
/// second is predicted token by token, exactly and through the view.
/// </summary>
/// <param name="engine">The engine, whose context holds a text.</param>
/// <param name="seed">Start of the random numbers: equal seeds give equal texts.</param>
public sealed class RetainedStories(InferenceEngine engine, int seed)
{
    const int MostTokens = 1024, Greedy = 32;

    /// <summary>Measures policies on the same texts.</summary>
    /// <param name="policies">The policies.</param>
    /// <param name="texts">How many texts.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="cancellation">Ends it early.</param>
    public IReadOnlyList<RetainedStoriesResult> Measure(IReadOnlyList<RetentionPolicy> policies, int texts, IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(policies);
        ArgumentOutOfRangeException.ThrowIfLessThan(texts, 1);
        SagaGenerator generator = new(seed);
        Divergence[] divergences = [.. policies.Select(policy => new Divergence(policy.ToString()))];
        for (int i = 0; i < texts; i++)
        {
            int[] text = Text(generator);
            int half = text.Length / 2 / engine.Layout.BlockTokens * engine.Layout.BlockTokens;
            using Sequence exact = Begin(text);
            engine.Forward(exact, half);
            float[][] expected = engine.ComputeLogits(exact);
            int[] continued = Continue(text, half, policy: null);
            for (int k = 0; k < policies.Count; k++)
            {
                cancellation.ThrowIfCancellationRequested();
                using Sequence sequence = Begin(text);
                var retention = engine.Retain(sequence, new RetentionOptions(policies[k]) { Prefix = half }, cancellation: cancellation);
                if (retention.View is null)
                    engine.Forward(sequence, half);
                divergences[k].Bytes += (retention.View?.Bytes ?? engine.Layout.BlocksFor(half) * engine.Layout.StrideBytes) / (double)half;
                divergences[k].Add(expected, engine.ComputeLogits(sequence), text.AsSpan(half));
                divergences[k].AddFirst(continued.AsSpan().CommonPrefixLength(Continue(text, half, policies[k])));
            }
            progress?.Report(i + 1);
        }
        return [.. divergences.Select(divergence => divergence.Result(texts))];
    }

    int[] Text(SagaGenerator generator)
    {
        int most = Math.Min(MostTokens, engine.Context - Greedy - 1);
        List<int> tokens = [.. engine.Model.Tokenizer.Opening];
        while (tokens.Count < most)
            tokens.AddRange(engine.Model.Tokenizer.Encode(generator.Story() + "\n"));
        return [.. tokens.Take(most)];
    }

    Sequence Begin(ReadOnlySpan<int> tokens)
    {
        Sequence sequence = engine.NewSequence();
        sequence.Append(tokens);
        return sequence;
    }

    /// <summary>What the model itself would say after the first half.</summary>
    int[] Continue(int[] text, int half, RetentionPolicy? policy)
    {
        using Sequence sequence = Begin(text.AsSpan(0, half + 1));
        return [.. engine.Generate(sequence, new GenerationOptions
        {
            MaxTokens = Greedy, IgnoresEnds = true, Retention = policy is null ? null : new RetentionOptions(policy) { Prefix = half },
        }, _ => { }).TokenIds];
    }

    sealed class Divergence(string policy)
    {
        readonly List<double> _divergences = [];
        double _loss, _exactLoss;
        int _losses, _agreed, _first;

        public double Bytes { get; set; }

        public void Add(float[][] expected, float[][] seen, ReadOnlySpan<int> tokens)
        {
            for (int i = 0; i < expected.Length; i++)
            {
                _divergences.Add(KlDivergence.Of(expected[i], seen[i]));
                _agreed += Array.IndexOf(expected[i], expected[i].Max()) == Array.IndexOf(seen[i], seen[i].Max()) ? 1 : 0;
                if (i + 1 >= tokens.Length)
                    continue;
                _exactLoss += TokenLoss.Of(expected[i], tokens[i + 1]);
                _loss += TokenLoss.Of(seen[i], tokens[i + 1]);
                _losses++;
            }
        }

        public void AddFirst(int common) => _first += common;

        public RetainedStoriesResult Result(int texts)
        {
            double[] ascending = [.. _divergences.Order()];
            return new RetainedStoriesResult(policy, texts, _losses, Math.Exp(_exactLoss / _losses), Math.Exp(_loss / _losses),
                ascending.Average(), ascending[ascending.Length / 2], ascending[ascending.Length * 99 / 100],
                (double)_agreed / ascending.Length, (double)_first / texts, Bytes / texts);
        }
    }
}

/// <summary>What a policy changes in what a model expects of stories.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Texts">How many texts.</param>
/// <param name="Tokens">Tokens that were predicted.</param>
/// <param name="ExactPerplexity">Perplexity of exact predictions.</param>
/// <param name="Perplexity">Perplexity through the view.</param>
/// <param name="MeanKl">KL(exact ‖ view), nats a token: mean,</param>
/// <param name="MedianKl">median,</param>
/// <param name="Kl99">and what 99 % are below.</param>
/// <param name="TopAgreement">Share of predictions whose likeliest token is the same.</param>
/// <param name="AgreeingTokens">Greedy tokens before the first that differs, on average, of 32.</param>
/// <param name="BytesPerToken">Bytes of the pool for each token of the first half.</param>
public sealed record RetainedStoriesResult(string Policy, int Texts, int Tokens, double ExactPerplexity, double Perplexity, double MeanKl,
    double MedianKl, double Kl99, double TopAgreement, double AgreeingTokens, double BytesPerToken);
