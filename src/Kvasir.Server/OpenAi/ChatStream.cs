using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>
/// A streamed answer of <c>/v1/chat/completions</c>: the role first, then thoughts, text and calls as they come, the reason at the end, and
/// the usage if it was asked for.
/// </summary>
sealed class ChatStream(HttpContext context, CompletionService service, ChatRequest request, CompletionRun run)
{
    readonly ServedModel _model = service.Model;
    readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    readonly string _fingerprint = ChatCompletions.SystemFingerprint(service.Model);
    readonly AnswerReader[] _readers = [.. Enumerable.Range(0, run.Request.Choices).Select(_ => run.Request.Plan!.NewReader())];
    readonly int[] _calls = new int[run.Request.Choices];
    readonly StreamTimings _timings = new(run);
    readonly GenerationResult[] _results = new GenerationResult[run.Request.Choices];

    /// <summary>Writes it; returns why the first choice ended.</summary>
    public async Task<string> Write()
    {
        using EventStream events = new(context.Response);
        for (int choice = 0; choice < run.Request.Choices; choice++)
            Send(events, choice, new ChatDelta("assistant", "", null));
        await events.Flush(context.RequestAborted);
        await StreamPump.Run(run, events, piece => Send(events, piece), fail: null, context.RequestAborted);
        if (request.IncludesUsage || run.Request.Explains)
            events.Send(Chunk([], request.IncludesUsage ? Usage.Of(run, _results) : null, run.ExplanationOf(_results[0])) with
            {
                Timings = Timings.Of(run, _results[0]),
            }, OpenAiJson.Default.ChatChunk);
        events.SendDone();
        await events.Flush(context.RequestAborted);
        return ChatCompletions.FinishReasonOf(_results[0], _calls[0] > 0);
    }

    void Send(EventStream events, ChoicePiece piece)
    {
        foreach (PromptProgress progress in _timings.Progress(piece))
            events.Send(Chunk([]) with { PromptProgress = progress }, OpenAiJson.Default.ChatChunk);
        Timings? timings = _timings.Take(piece);
        ChoiceLogprobs? logprobs = piece.Piece.Logprobs is { } likely
            ? new ChoiceLogprobs([TokenLogprob.Of(likely, _model.Engine.Model.Tokenizer)])
            : null;
        foreach (AnswerPart part in piece.Read(_readers[piece.Choice], run.Request))
            if (Delta(part, ref _calls[piece.Choice]) is { } delta)
            {
                Send(events, piece.Choice, delta, logprobs, timings: timings);
                logprobs = null;
            }
        if (logprobs is not null)
            Send(events, piece.Choice, new ChatDelta(null, "", null), logprobs, timings: timings);
        if (piece.Result is not { } result)
            return;
        _results[piece.Choice] = result;
        Send(events, piece.Choice, new ChatDelta(null, null, null), null, ChatCompletions.FinishReasonOf(result, _calls[piece.Choice] > 0),
            timings, RawAnswer.Of(run, result, _model.Engine.Model.Tokenizer));
    }

    static ChatDelta? Delta(AnswerPart part, ref int calls) => part.Kind switch
    {
        AnswerPartKind.Text => new ChatDelta(null, part.Text, null),
        AnswerPartKind.Thought => new ChatDelta(null, null, null, part.Text),
        AnswerPartKind.Call => new ChatDelta(null, null, [ChatToolCall.Of(part.Call!, calls++)]),
        AnswerPartKind.Arguments => new ChatDelta(null, null, [ChatToolCall.More(part.Text, calls - 1)]),
        _ => null,
    };

    void Send(EventStream events, int choice, ChatDelta delta, ChoiceLogprobs? logprobs = null, string? finishReason = null,
        Timings? timings = null, RawAnswer? raw = null) =>
        events.Send(Chunk([new ChatChunkChoice(choice, delta, logprobs, finishReason)]) with { Timings = timings, Raw = raw },
            OpenAiJson.Default.ChatChunk);

    ChatChunk Chunk(IReadOnlyList<ChatChunkChoice> choices, Usage? usage = null, Explanation? explanation = null) =>
        new(run.Request.Id, "chat.completion.chunk", _created, run.ModelName, _fingerprint, choices, usage, explanation);
}
