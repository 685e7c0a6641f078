namespace Kvasir.Inference.Model;

/// <summary>A model's forward pass, wherever it is computed. One thread uses it at a time.</summary>
interface ITransformer : IDisposable
{
    /// <summary>Most rows of a batch.</summary>
    int MaxTokens { get; }

    /// <summary>Computes a batch: writes its keys and values to the cache and leaves the logits of the rows that want them.</summary>
    /// <returns>False when keys and values that it needed did not come: nothing was computed.</returns>
    bool Forward(Batch batch);

    /// <summary>The logits of the i-th row that wanted them in the last batch, [vocabulary]; valid until the next.</summary>
    Span<float> Logits(int i);

    /// <summary>
    /// The final hidden state of that row, normalised: what the output matrix turns into logits, [width]; valid until the next.
    /// </summary>
    ReadOnlySpan<float> Hidden(int i);
}
