using System.Text;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary>
/// An answer of <c>/api/chat</c> or <c>/api/generate</c>: a line for each piece and one with the figures, or one object with all.
/// </summary>
sealed class OllamaWriter(HttpContext context, ServedModel model, OllamaQuery query, CompletionRun run)
{
    readonly StringBuilder _text = new(), _thoughts = new();
    readonly List<ToolCall> _calls = [];
    readonly List<TokenLogprob> _logprobs = [];
    readonly AnswerReader? _reader = run.Request.Plan?.NewReader();
    LineStream? _lines;
    GenerationResult? _result;

    /// <summary>Whether the answer is a message.</summary>
    public bool IsChat { get; init; }

    /// <summary>Whether the answer has the conversation's tokens.</summary>
    public bool ReturnsContext { get; init; }

    /// <summary>Writes it; returns why it ended.</summary>
    public async Task<string> Write()
    {
        using LineStream? lines = _lines = query.Streams ? new LineStream(context.Response) : null;
        if (lines is null)
            await run.ReadAll(Take);
        else
        {
            await lines.Flush(context.RequestAborted);
            await StreamPump.Run(run, lines, Take, failure => lines.Send(OllamaError.Of(failure), HttpJson.Default.OllamaError),
                context.RequestAborted);
        }
        OllamaAnswer end = End();
        if (lines is null)
            await context.Response.WriteAsJsonAsync(end, OllamaJson.Wire.OllamaAnswer, cancellationToken: context.RequestAborted);
        else
        {
            lines.Send(end, OllamaJson.Default.OllamaAnswer);
            await lines.Flush(context.RequestAborted);
        }
        return end.DoneReason!;
    }

    void Take(ChoicePiece piece)
    {
        _result = piece.Result ?? _result;
        (string thought, string text, List<ToolCall> calls) = Read(piece);
        TokenLogprob[] likely = piece.Piece.Logprobs is { } one ? [TokenLogprob.Of(one, model.Engine.Model.Tokenizer)] : [];
        if (_lines is null)
        {
            _text.Append(text);
            _thoughts.Append(thought);
            _logprobs.AddRange(likely);
        }
        else if (thought.Length > 0 || text.Length > 0 || calls.Count > 0 || likely.Length > 0)
            _lines.Send(With(OllamaAnswer.Piece(query.Model), thought, text, calls, likely), OllamaJson.Default.OllamaAnswer);
        _calls.AddRange(calls);
    }

    /// <summary>What a piece brings: calls that are whole, since their arguments are objects here.</summary>
    (string Thought, string Text, List<ToolCall> Calls) Read(ChoicePiece piece)
    {
        if (_reader is null)
            return ("", piece.Piece.Text, []);
        AnswerPart[] parts = [.. piece.Read(_reader, run.Request)];
        return (Texts(AnswerPartKind.Thought), Texts(AnswerPartKind.Text),
            [.. parts.Where(part => part is { Kind: AnswerPartKind.CallEnd, IsWhole: true }).Select(part => part.Call!)]);

        string Texts(AnswerPartKind kind) => string.Concat(parts.Where(part => part.Kind == kind).Select(part => part.Text));
    }

    OllamaAnswer End()
    {
        List<ToolCall> calls = _lines is null ? _calls : [];
        return With(OllamaAnswer.End(query.Model, _result!, run), _thoughts.ToString(), _text.ToString(), calls, _logprobs) with
        {
            Context = ReturnsContext ? [.. run.Request.Prompts[0], .. _result!.TokenIds] : null,
        };
    }

    OllamaAnswer With(
        OllamaAnswer answer, string thought, string text, List<ToolCall> calls, IReadOnlyList<TokenLogprob> likely) => answer with
        {
            Message = !IsChat ? null : new OllamaMessage("assistant", text)
            {
                Thinking = thought.Length == 0 ? null : thought,
                ToolCalls = calls.Count == 0 ? null
                : [.. calls.Select((call, i) => OllamaToolCall.Of(call, (_lines is null ? 0 : _calls.Count) + i))],
            },
            Response = IsChat ? null : text,
            Thinking = IsChat || thought.Length == 0 ? null : thought,
            Logprobs = likely.Count == 0 ? null : likely,
        };
}
