namespace Kvasir.Inference.Chat.Answers;

/// <summary>
/// Reads an answer that arrives in pieces into thoughts, text and calls, by the model's own markers. What may be the beginning of a marker
/// is held back until it is one or cannot become one, so no part of a marker is ever text. For one answer, on one thread at a time.
/// </summary>
public sealed class AnswerReader
{
    readonly List<AnswerPart> _parts = [];
    readonly ThoughtFilter? _thoughts;
    readonly CallFilter? _calls;
    readonly HarmonyFilter? _harmony;

    /// <param name="thoughts">How the model marks its thoughts; null leaves them in the text.</param>
    /// <param name="tools">How it calls tools; null when it has none to call.</param>
    /// <param name="names">The tools that may be called.</param>
    /// <param name="prompt">What the answer is to.</param>
    /// <param name="splitsThoughts">Whether thoughts in messages of their own are told apart from the text.</param>
    public AnswerReader(
        ThoughtFormat? thoughts, ToolFormat? tools, IReadOnlyCollection<string> names, ChatPrompt prompt, bool splitsThoughts = true)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (thoughts is { IsHarmony: true })
            _harmony = new HarmonyFilter(_parts, prompt, splitsThoughts);
        else if (thoughts is not null)
            _thoughts = new ThoughtFilter(thoughts, prompt);
        _calls = tools switch
        {
            null or { Style: ToolStyle.Harmony } => null,
            { Style: ToolStyle.Tagged or ToolStyle.Named } => new TaggedCalls(tools, _parts),
            _ => new WholeCalls(tools, names, _parts),
        };
    }

    /// <summary>Takes a piece; returns what is certain now, until the next piece is taken.</summary>
    public IReadOnlyList<AnswerPart> Append(string text)
    {
        _parts.Clear();
        if (_harmony is not null)
            _harmony.Append(text);
        else if (_thoughts is null)
            Say(text);
        else
        {
            (string thought, string rest) = _thoughts.Append(text);
            Think(thought);
            Say(rest);
        }
        return _parts;
    }

    /// <summary>What was held back, when no more will come.</summary>
    /// <param name="isCut">
    /// Whether the model would have gone on. Then what looks like the beginning of a call, or of a marker, is one, and no text.
    /// </param>
    public IReadOnlyList<AnswerPart> Flush(bool isCut)
    {
        _parts.Clear();
        _harmony?.Flush(isCut);
        if (_thoughts is not null)
        {
            (string thought, string rest) = _thoughts.Flush(isCut);
            Think(thought);
            Say(rest);
        }
        _calls?.Flush(isCut);
        return _parts;
    }

    void Think(string thought)
    {
        if (thought.Length > 0)
            _parts.Add(new AnswerPart(AnswerPartKind.Thought, thought));
    }

    void Say(string text)
    {
        if (_calls is not null)
            _calls.Append(text);
        else if (text.Length > 0)
            _parts.Add(new AnswerPart(AnswerPartKind.Text, text));
    }
}
