using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>
/// How well a model predicts a text: e to the mean of −ln p(token | tokens before it in its window). 1 is certainty, the size of the
/// vocabulary a guess. The text is cut into windows as long as the engine's context; each is computed from its start, behind the model's
/// opening token if it has one, and every token counts that has another before it in its window.
/// </summary>
/// <param name="Windows">Windows begun.</param>
/// <param name="Tokens">Tokens counted.</param>
/// <param name="MeanLoss">Mean of −ln p over them, in nats.</param>
/// <param name="MeanLossError">Standard error of that mean, as if tokens were independent.</param>
public sealed record Perplexity(int Windows, int Tokens, double MeanLoss, double MeanLossError)
{
    const int MostLogits = 16 << 20; // 64 MiB of them at a time, however large the vocabulary

    /// <summary>The perplexity.</summary>
    public double Value => Math.Exp(MeanLoss);

    /// <summary>Its standard error: that of the mean loss, to first order.</summary>
    public double StandardError => Value * MeanLossError;

    /// <summary>Measures an engine on a text.</summary>
    /// <param name="engine">The engine; its context is the length of a window.</param>
    /// <param name="text">The text's tokens, without the model's opening.</param>
    /// <param name="progress">Receives what is known after each chunk.</param>
    /// <param name="cancellation">Ends the measurement at the next chunk.</param>
    /// <exception cref="ArgumentException">The text or the context is too short for a token with another before it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Perplexity Of(InferenceEngine engine, ReadOnlySpan<int> text, IProgress<PerplexityProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        int opening = engine.Model.Tokenizer.Opening.Length, step = engine.Context - opening;
        if (engine.Context < 2 || step < 1)
            throw new ArgumentException(
                $"context: {engine.Context}, expected at least {Math.Max(2, opening + 1)} to predict a token from another");
        int windows = (text.Length + step - 1) / step, total = opening > 0 ? text.Length : text.Length - windows;
        if (total <= 0)
            throw new ArgumentException(
                $"text: {text.Length} tokens, expected at least {(opening > 0 ? 1 : 2)} to predict one from another");
        var losses = new Losses();
        for (int window = 0; window < windows; window++)
        {
            int begun = window + 1;
            ReadOnlySpan<int> part = text[(window * step)..Math.Min(text.Length, begun * step)];
            AddWindow(engine, [.. engine.Model.Tokenizer.Opening, .. part], losses,
                () => progress?.Report(new(losses.Result(begun), total)), cancellation);
        }
        return losses.Result(windows);
    }

    /// <summary>Adds the losses of a window's tokens but the first. The last predicts nothing and is not computed.</summary>
    static void AddWindow(InferenceEngine engine, int[] window, Losses losses, Action report, CancellationToken cancellation)
    {
        int most = Math.Max(1, MostLogits / engine.Model.Config.Vocabulary);
        using Sequence sequence = engine.NewSequence();
        sequence.Append(window.AsSpan(..^1));
        while (sequence.Cached < sequence.Tokens.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            int first = sequence.Cached, count = engine.ForwardWithLogits(sequence, most);
            for (int i = 0; i < count; i++)
                losses.Add(TokenLoss.Of(engine.LogitsOf(i), window[first + i + 1]));
            report();
        }
    }

    /// <summary>Mean and variance as numbers come: Welford, 1962, https://doi.org/10.1080/00401706.1962.10490022.</summary>
    sealed class Losses
    {
        int _count;
        double _mean, _squares; // sum of squared distances from the mean

        public void Add(double loss)
        {
            double distance = loss - _mean;
            _mean += distance / ++_count;
            _squares += distance * (loss - _mean);
        }

        public Perplexity Result(int windows) => new(windows, _count, _mean, _count < 2 ? 0 : Math.Sqrt(_squares / (_count - 1) / _count));
    }
}

/// <summary>How far a measurement is.</summary>
/// <param name="SoFar">What the tokens counted so far say.</param>
/// <param name="Tokens">How many will be counted.</param>
public sealed record PerplexityProgress(Perplexity SoFar, int Tokens);
