using Kvasir.Inference.Saga;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>How well a model predicts little stories of saga's language that nobody has told before.</summary>
public static class Stories
{
    const double Z95 = 1.959963984540054;

    /// <summary>Measures so many stories.</summary>
    /// <param name="engine">The engine, whose context holds a story.</param>
    /// <param name="stories">How many, at least 1.</param>
    /// <param name="seed">Start of the random numbers: equal seeds give equal stories.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static StoriesResult Measure(InferenceEngine engine, int stories, int seed, IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentOutOfRangeException.ThrowIfLessThan(stories, 1);
        SagaGenerator generator = new(seed);
        List<Perplexity> each = [];
        for (int i = 0; i < stories; i++)
        {
            each.Add(Perplexity.Of(engine, engine.Model.Tokenizer.Encode(generator.Story()), progress: null, cancellation));
            progress?.Report(i + 1);
        }
        double tokens = each.Sum(story => (double)story.Tokens), mean = each.Sum(story => story.Tokens * story.MeanLoss) / tokens;
        // of whole stories: tokens of one are not independent
        double error = Math.Sqrt(each.Sum(story => Math.Pow(story.Tokens * (story.MeanLoss - mean), 2))) / tokens;
        return new StoriesResult(stories, (long)tokens, Math.Exp(mean), Math.Exp(mean - Z95 * error), Math.Exp(mean + Z95 * error));
    }
}

/// <summary>Perplexity over stories: exp of the mean loss of their tokens.</summary>
/// <param name="Stories">How many.</param>
/// <param name="Tokens">Their tokens that were predicted.</param>
/// <param name="Perplexity">The perplexity.</param>
/// <param name="Low">It is above this with 95 % confidence, by the variance between stories,</param>
/// <param name="High">and below this.</param>
public sealed record StoriesResult(int Stories, long Tokens, double Perplexity, double Low, double High);
