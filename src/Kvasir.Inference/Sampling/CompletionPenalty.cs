namespace Kvasir.Inference.Sampling;

/// <summary>
/// OpenAI's penalties on what a completion has said already: logit −= count · frequency + (count &gt; 0) · presence. Counts are kept from
/// token to token, so that a long completion costs no more than its different tokens.
/// </summary>
sealed class CompletionPenalty(float frequency, float presence)
{
    readonly Dictionary<int, int> _counts = [];
    int _counted; // tokens of the completion
    int _last; // the latest of them

    /// <summary>Lowers the logits of the completion's tokens.</summary>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="completion">The tokens so far: those of the call before, and more. Another completion is counted anew.</param>
    public void Apply(Span<float> logits, ReadOnlySpan<int> completion)
    {
        if (frequency == 0 && presence == 0)
            return;
        Count(completion);
        foreach ((int token, int count) in _counts)
            logits[token] -= count * frequency + presence;
    }

    void Count(ReadOnlySpan<int> completion)
    {
        if (_counted > completion.Length || (_counted > 0 && completion[_counted - 1] != _last))
        {
            _counts.Clear();
            _counted = 0;
        }
        foreach (int token in completion[_counted..])
            _counts[token] = _counts.GetValueOrDefault(token) + 1;
        _counted = completion.Length;
        _last = _counted > 0 ? completion[^1] : 0;
    }
}
