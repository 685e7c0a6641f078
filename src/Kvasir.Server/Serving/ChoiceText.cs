using System.Text;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Server.Serving;

/// <summary>One answer, gathered: its text, the calls in it and, if asked for, how likely its tokens were.</summary>
sealed class ChoiceText(ToolFormat? tools)
{
    readonly ToolCallFilter? _filter = tools is null ? null : new ToolCallFilter(tools);
    readonly StringBuilder _text = new();
    readonly List<TokenLogprobs> _logprobs = [];

    public string Text => _text.ToString();

    public List<ToolCall> Calls { get; } = [];

    /// <summary>How likely its tokens were; empty unless that was asked for.</summary>
    public IReadOnlyList<TokenLogprobs> Logprobs => _logprobs;

    /// <summary>Reads all answers of a run to their ends.</summary>
    public static Task<GenerationResult[]> ReadAll(CompletionRun run, ChoiceText[] choices) =>
        run.ReadAll(piece => choices[piece.Choice].Add(piece));

    void Add(ChoicePiece piece)
    {
        (string text, List<ToolCall> calls) = _filter is null ? (piece.Piece.Text, [])
            : piece.Result is null ? _filter.Append(piece.Piece.Text)
            : _filter.Flush();
        _text.Append(text);
        Calls.AddRange(calls);
        if (piece.Piece.Logprobs is { } logprobs)
            _logprobs.Add(logprobs);
    }
}
