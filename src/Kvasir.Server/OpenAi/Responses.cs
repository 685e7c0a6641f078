using System.Diagnostics;
using System.Text.Json;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary><c>POST /v1/responses</c> and <c>/v1/responses/input_tokens</c>.</summary>
static class Responses
{
    public static Task Handle(HttpContext context, CompletionService service, ResponseStore store) =>
        RequestFields.Read(context, Endpoints.Responses, async body =>
        {
            ResponsesRequest request = ResponsesRequest.Read(body, service.Model, Gate.PrincipalOf(context),
                store, RequestReader.Explains(context));
            await service.Serve(context, request.Completion,
                run => new ResponsesAnswer(context, service.Model, request, run, store).Write());
        });

    public static Task CountTokens(HttpContext context, ServedModel model, ResponseStore store) =>
        RequestFields.Read(context, Endpoints.Responses, async body =>
        {
            ResponsesRequest request = ResponsesRequest.Read(body, model,
                Gate.PrincipalOf(context), store, explains: false);
            await context.Response.WriteAsJsonAsync(new ResponseInputTokens("response.input_tokens", request.Completion.PromptTokens),
                OpenAiJson.Wire.ResponseInputTokens);
        });
}

/// <summary>An answer of <c>/v1/responses</c>: items of text and of calls, whole or as numbered events.</summary>
sealed class ResponsesAnswer(HttpContext context, ServedModel model, ResponsesRequest request, CompletionRun run, ResponseStore store)
{
    readonly List<ResponseItem> _output = [];
    readonly System.Text.StringBuilder _text = new();
    readonly ToolCallFilter? _filter = request.UsesTools ? new ToolCallFilter(model.Prompts.Tools!) : null;
    EventStream? _events;
    GenerationResult? _result;
    string? _textId; // of the item that is open
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
        (string text, List<ToolCall> calls) = _filter is null ? (piece.Piece.Text, [])
            : piece.Result is null ? _filter.Append(piece.Piece.Text)
            : _filter.Flush();
        _result = piece.Result ?? _result;
        if (text.Length > 0)
            AddText(text);
        foreach (ToolCall call in calls)
            AddCall(call);
        if (piece.Result is not null && _output.Count == 0 && _textId is null)
            AddText("");
        if (piece.Result is not null)
            CloseText();
    }

    void AddText(string text)
    {
        if (_textId is null)
        {
            _textId = $"msg_{Guid.NewGuid():N}";
            Send(new ResponseItemEvent("response.output_item.added", _output.Count, Message(_textId, "in_progress", [])));
            Send(new ResponsePartEvent("response.content_part.added", _textId, _output.Count, 0, ResponsePart.Of("")));
        }
        _text.Append(text);
        if (text.Length > 0)
            Send(new ResponseTextDelta(_textId, _output.Count, 0, text, []));
    }

    void CloseText()
    {
        if (_textId is null)
            return;
        string text = _text.ToString();
        Send(new ResponseTextDone(_textId, _output.Count, 0, text, []));
        Send(new ResponsePartEvent("response.content_part.done", _textId, _output.Count, 0, ResponsePart.Of(text)));
        AddItem(Message(_textId, "completed", [ResponsePart.Of(text)]));
        _text.Clear();
        _textId = null;
    }

    void AddCall(ToolCall call)
    {
        CloseText();
        ResponseCall item = new($"fc_{Guid.NewGuid():N}", call.Id, call.Name, call.Arguments, "completed");
        Send(new ResponseItemEvent("response.output_item.added", _output.Count, item with { Arguments = "", Status = "in_progress" }));
        Send(new ResponseArgumentsDelta(item.Id, _output.Count, call.Arguments));
        Send(new ResponseArgumentsDone(item.Id, _output.Count, call.Arguments));
        AddItem(item);
    }

    void AddItem(ResponseItem item)
    {
        Send(new ResponseItemEvent("response.output_item.done", _output.Count, item));
        _output.Add(item);
    }

    static ResponseMessage Message(string id, string status, IReadOnlyList<ResponsePart> content) => new(id, status, "assistant", content);

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
