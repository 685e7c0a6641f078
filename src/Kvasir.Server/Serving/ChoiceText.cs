using System.Text;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Server.Serving;

/// <summary>A call in an answer; one that was cut off is not whole.</summary>
readonly record struct ChoiceCall(ToolCall Call, bool IsWhole);

/// <summary>
/// One answer, gathered: its thoughts, its text, the calls in it and, if asked for, how likely its tokens and the prompt's were.
/// </summary>
/// <param name="request">The request: says how answers are read, and whether thoughts are told.</param>
sealed class ChoiceText(CompletionRequest request)
{
    readonly AnswerReader? _reader = request.Plan?.NewReader();
    readonly StringBuilder _text = new(), _thoughts = new();
    readonly List<TokenLogprobs> _logprobs = [];

    public string Text => _text.ToString();

    /// <summary>What the model thought; empty where that is not told.</summary>
    public string Thoughts => _thoughts.ToString();

    public List<ChoiceCall> Calls { get; } = [];

    /// <summary>How likely its tokens were; empty unless that was asked for.</summary>
    public IReadOnlyList<TokenLogprobs> Logprobs => _logprobs;

    /// <summary>How likely the prompt's tokens were, the first of which is null; null unless that was asked for.</summary>
    public IReadOnlyList<TokenLogprobs?>? PromptLogprobs { get; private set; }

    /// <summary>Reads all answers of a run to their ends.</summary>
    public static async Task<(ChoiceText[] Choices, GenerationResult[] Results)> ReadAll(CompletionRun run)
    {
        ChoiceText[] choices = [.. Enumerable.Range(0, run.Request.Choices).Select(_ => new ChoiceText(run.Request))];
        return (choices, await run.ReadAll(piece => choices[piece.Choice].Add(piece)));
    }

    void Add(ChoicePiece piece)
    {
        if (_reader is null)
            _text.Append(piece.Piece.Text);
        else
            foreach (AnswerPart part in piece.Read(_reader, request))
                Add(part);
        if (piece.Piece.Logprobs is { } logprobs)
            _logprobs.Add(logprobs);
        PromptLogprobs = piece.Piece.PromptLogprobs ?? PromptLogprobs;
    }

    void Add(AnswerPart part)
    {
        if (part.Kind is AnswerPartKind.Text or AnswerPartKind.Thought)
            (part.Kind == AnswerPartKind.Text ? _text : _thoughts).Append(part.Text);
        else if (part.Kind == AnswerPartKind.CallEnd)
            Calls.Add(new ChoiceCall(part.Call!, part.IsWhole));
    }
}
