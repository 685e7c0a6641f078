using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference;

/// <summary>The vector of a text: the final hidden state after its last token, of length 1.</summary>
public static class TextEmbedding
{
    /// <summary>How to start a completion that computes one, of <see cref="Tokenization.Tokenizer.EncodePrompt"/>'s tokens.</summary>
    public static GenerationOptions Options { get; } = new() { MaxTokens = 0, WantsHidden = true };

    /// <summary>The vector that a completion has computed.</summary>
    /// <param name="result">Of a completion with <see cref="Options"/> that was not cancelled.</param>
    /// <param name="dimensions">How many of the model's dimensions are kept, from the first one on.</param>
    public static float[] Of(GenerationResult result, int dimensions)
    {
        ArgumentNullException.ThrowIfNull(result);
        return Unit((result.Hidden
            ?? throw new ArgumentException("the completion was over before its hidden state was computed")).Span[..dimensions]);
    }

    static float[] Unit(ReadOnlySpan<float> vector)
    {
        double squares = 0;
        foreach (float value in vector)
            squares += (double)value * value;
        double length = squares > 0 ? Math.Sqrt(squares) : 1;
        return [.. vector.ToArray().Select(value => (float)(value / length))];
    }
}
