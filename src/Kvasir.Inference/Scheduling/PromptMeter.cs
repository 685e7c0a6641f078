namespace Kvasir.Inference.Scheduling;

/// <summary>Tells how likely each token of a prompt was, from the logits after the one before; nothing foretells the first.</summary>
sealed class PromptMeter(int top, int tokens)
{
    readonly LogprobMeter _meter = new(top);
    readonly List<TokenLogprobs?> _read = [null];

    /// <summary>Whether logits of the prompt are still wanted.</summary>
    public bool IsReading => _read.Count < tokens;

    /// <summary>One for each token of the prompt; the first is null.</summary>
    public IReadOnlyList<TokenLogprobs?> Read => _read;

    /// <summary>Takes the logits after positions <c>[from, to)</c>, row by row; those that were read before are passed over.</summary>
    public void Take(ForwardPass pass, int firstRow, int from, int to, ReadOnlySpan<int> prompt, string model)
    {
        for (int position = from; position < to && position + 1 < tokens; position++)
        {
            if (position + 1 != _read.Count)
                continue; // the sequence was paused, and is computed again
            _meter.Read(LogitsException.Checked(pass.Logits(firstRow + position - from), "logits", model));
            int token = prompt[position + 1];
            _read.Add(_meter.Of(token) with { Rank = _meter.Rank(token) });
        }
    }
}
