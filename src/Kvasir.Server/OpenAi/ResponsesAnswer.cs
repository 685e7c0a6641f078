using System.Text.Json;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>An answer of <c>/v1/responses</c>: items of thoughts, of text and of calls, whole or as numbered events.</summary>
sealed class ResponsesAnswer(HttpContext context, ResponsesRequest request, CompletionRun run, ResponseStore store)
{
    readonly List<ResponseItem> _output = [];
    readonly System.Text.StringBuilder _text = new();
    readonly AnswerReader _reader = run.Request.Plan!.NewReader();
    EventStream? _events;
    GenerationResult? _result;
    string? _openId, _callId; // of the items that are open
    bool _isThought;
    int _number;

    /// <summary>Writes it; returns why it ended.</summary>
    public async Task<string> Write()
    {
        using EventStream? events = _events = request.Streams ? new EventStream(context.Response) : null;
        Send(new ResponseProgress("response.created", Answer()));
        Send(new ResponseProgress("response.in_progress", Answer()));
        if (events is not null)
        {
            await events.Flush(context.RequestAborted);
            await StreamPump.Run(run, events, Take, failure => Send(new ResponseFailure(failure.Code, failure.Message, failure.Field)),
                context.RequestAborted);
        }
        else
            await run.ReadAll(Take);
        Keep();
        await Finish(Answer() with { Kvasir = run.ExplanationOf(_result!) });
        return ChatCompletions.FinishReasonOf(_result!, _output.Exists(item => item is ResponseCall));
    }

    async Task Finish(Response response)
    {
        if (_events is null)
        {
            await context.Response.WriteAsJsonAsync(response, OpenAiJson.Wire.Response, cancellationToken: context.RequestAborted);
            return;
        }
        Send(new ResponseProgress($"response.{response.Status}", response));
        await _events.Flush(context.RequestAborted);
    }

    void Take(ChoicePiece piece)
    {
        foreach (AnswerPart part in piece.Read(_reader, run.Request))
            Take(part);
        _result = piece.Result ?? _result;
        if (piece.Result is null)
            return;
        if (_output.Count == 0 && _openId is null)
            Open(isThought: false);
        Close();
    }

    void Take(AnswerPart part)
    {
        switch (part.Kind)
        {
            case AnswerPartKind.Text or AnswerPartKind.Thought:
                Open(part.Kind == AnswerPartKind.Thought);
                _text.Append(part.Text);
                Send(IsSummary ? new ResponseSummaryDelta(_openId!, _output.Count, 0, part.Text)
                    : _isThought ? new ResponseThoughtDelta(_openId!, _output.Count, 0, part.Text)
                    : new ResponseTextDelta(_openId!, _output.Count, 0, part.Text, []));
                break;
            case AnswerPartKind.Call:
                Close();
                _callId = $"fc_{Guid.NewGuid():N}";
                Send(new ResponseItemEvent("response.output_item.added", _output.Count, Call(part.Call!, "in_progress")));
                break;
            case AnswerPartKind.Arguments:
                Send(new ResponseArgumentsDelta(_callId!, _output.Count, part.Text));
                break;
            case AnswerPartKind.CallEnd:
                Send(new ResponseArgumentsDone(_callId!, _output.Count, part.Call!.Arguments));
                AddItem(Call(part.Call!, part.IsWhole ? "completed" : "incomplete"));
                break;
        }
    }

    ResponseCall Call(ToolCall call, string status) => new(_callId!, call.Id, call.Name, call.Arguments, status);

    /// <summary>Begins an item of text or of thoughts, unless one is open.</summary>
    void Open(bool isThought)
    {
        if (_openId is not null && _isThought == isThought)
            return;
        Close();
        (_isThought, _openId) = (isThought, $"{(isThought ? "rs" : "msg")}_{Guid.NewGuid():N}");
        Send(new ResponseItemEvent("response.output_item.added", _output.Count, Item("in_progress", [])));
        SendPart("added", "");
    }

    void Close()
    {
        if (_openId is null)
            return;
        string text = _text.ToString();
        Send(IsSummary ? new ResponseSummaryDone(_openId, _output.Count, 0, text)
            : _isThought ? new ResponseThoughtDone(_openId, _output.Count, 0, text)
            : new ResponseTextDone(_openId, _output.Count, 0, text, []));
        SendPart("done", text);
        AddItem(Item("completed", [Part(text)]));
        _text.Clear();
        _openId = null;
    }

    bool IsSummary => _isThought && request.SummarizesThoughts;

    void SendPart(string what, string text) => Send(IsSummary
        ? new ResponseSummaryPartEvent($"response.reasoning_summary_part.{what}", _openId!, _output.Count, 0, Part(text))
        : new ResponsePartEvent($"response.content_part.{what}", _openId!, _output.Count, 0, Part(text)));

    ResponseItem Item(string status, IReadOnlyList<ResponsePart> content) =>
        IsSummary ? new ResponseReasoning(_openId!, status, content, [])
        : _isThought ? new ResponseReasoning(_openId!, status, [], content)
        : new ResponseMessage(_openId!, status, "assistant", content);

    ResponsePart Part(string text) => IsSummary ? ResponsePart.Summary(text)
        : _isThought ? ResponsePart.Thought(text)
        : ResponsePart.Said(text);

    void AddItem(ResponseItem item)
    {
        Send(new ResponseItemEvent("response.output_item.done", _output.Count, item));
        _output.Add(item);
    }

    /// <summary>The answer as it is now.</summary>
    Response Answer() => _result is null ? request.Answer with { Output = _output } : request.Answer with
    {
        Status = _result.FinishReason == FinishReason.Length ? "incomplete" : "completed",
        IncompleteDetails = _result.FinishReason == FinishReason.Length ? new IncompleteDetails("max_output_tokens") : null,
        Output = _output,
        Usage = ResponseUsage.Of(run, _result),
    };

    /// <summary>Keeps the answer with the conversation before it, to be read and continued.</summary>
    void Keep()
    {
        if (request.Items is { } items)
            store.Keep(run.Request.Id, run.Request.Principal, new StoredResponse(
                JsonSerializer.Serialize(Answer(), OpenAiJson.Wire.Response), StoredResponses.Text(items)));
    }

    void Send(ResponseEvent data) => _events?.Send(data with { SequenceNumber = _number++ }, OpenAiJson.Default.ResponseEvent, data.Type);
}
