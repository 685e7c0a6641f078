using System.Text.Json;
using System.Text.Json.Nodes;
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
    public static async Task Handle(HttpContext context, CompletionService service, ResponseStore store)
    {
        using var body = await RequestBody.Read(context);
        ResponsesRequest request = ResponsesRequest.Read(new Field("", body.RootElement), service.Model, Gate.PrincipalOf(context), store, RequestReader.Explains(context));
        await service.Serve(context, request.Completion, run => new ResponsesAnswer(context, service.Model, request, run, store).Write());
    }

    public static async Task CountTokens(HttpContext context, ServedModel model, ResponseStore store)
    {
        using var json = await RequestBody.Read(context);
        ResponsesRequest request = ResponsesRequest.Read(new Field("", json.RootElement), model, Gate.PrincipalOf(context), store, explains: false);
        await context.Response.WriteAsJsonAsync(new JsonObject { ["object"] = "response.input_tokens", ["input_tokens"] = request.Completion.PromptTokens }, OpenAiJson.Wire.JsonObject);
    }
}

/// <summary>An answer of <c>/v1/responses</c>: items of text and of calls, whole or as numbered events.</summary>
sealed class ResponsesAnswer(HttpContext context, ServedModel model, ResponsesRequest request, CompletionRun run, ResponseStore store)
{
    readonly JsonArray _output = [];
    readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
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
        Send("response.created", new JsonObject { ["response"] = Response() });
        Send("response.in_progress", new JsonObject { ["response"] = Response() });
        if (events is not null)
        {
            await events.Flush(context.RequestAborted);
            await StreamPump.Run(run, events, Take, failure => Send("error", new JsonObject { ["code"] = failure.Code, ["message"] = failure.Message, ["param"] = failure.Field }), context.RequestAborted);
        }
        else
            await run.ReadAll(Take);
        JsonObject response = Response();
        if (run.ExplanationOf(_result!) is { } explanation)
            response["kvasir"] = JsonSerializer.SerializeToNode(explanation, OpenAiJson.Default.Explanation);
        Keep();
        await Finish(response);
        return ChatCompletions.FinishReasonOf(_result!, _output.Any(item => (string?)item!["type"] == "function_call"));
    }

    async Task Finish(JsonObject response)
    {
        if (_events is null)
        {
            await context.Response.WriteAsJsonAsync(response, OpenAiJson.Wire.JsonObject, cancellationToken: context.RequestAborted);
            return;
        }
        Send(_result!.FinishReason == FinishReason.Length ? "response.incomplete" : "response.completed", new JsonObject { ["response"] = response });
        await _events.Flush(context.RequestAborted);
    }

    void Take(ChoicePiece piece)
    {
        (string text, List<ToolCall> calls) = _filter is null ? (piece.Piece.Text, []) : piece.Result is null ? _filter.Append(piece.Piece.Text) : _filter.Flush();
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
            Send("response.output_item.added", new JsonObject { ["output_index"] = _output.Count, ["item"] = TextItem("in_progress", []) });
            Send("response.content_part.added", new JsonObject { ["item_id"] = _textId, ["output_index"] = _output.Count, ["content_index"] = 0, ["part"] = Part("") });
        }
        _text.Append(text);
        if (text.Length > 0)
            Send("response.output_text.delta", new JsonObject { ["item_id"] = _textId, ["output_index"] = _output.Count, ["content_index"] = 0, ["delta"] = text, ["logprobs"] = new JsonArray() });
    }

    void CloseText()
    {
        if (_textId is null)
            return;
        string text = _text.ToString();
        Send("response.output_text.done", new JsonObject { ["item_id"] = _textId, ["output_index"] = _output.Count, ["content_index"] = 0, ["text"] = text, ["logprobs"] = new JsonArray() });
        Send("response.content_part.done", new JsonObject { ["item_id"] = _textId, ["output_index"] = _output.Count, ["content_index"] = 0, ["part"] = Part(text) });
        AddItem(TextItem("completed", [Part(text)]));
        _text.Clear();
        _textId = null;
    }

    void AddCall(ToolCall call)
    {
        CloseText();
        string id = $"fc_{Guid.NewGuid():N}";
        JsonObject Item(string status, string arguments) => new() { ["type"] = "function_call", ["id"] = id, ["call_id"] = call.Id, ["name"] = call.Name, ["arguments"] = arguments, ["status"] = status };
        Send("response.output_item.added", new JsonObject { ["output_index"] = _output.Count, ["item"] = Item("in_progress", "") });
        Send("response.function_call_arguments.delta", new JsonObject { ["item_id"] = id, ["output_index"] = _output.Count, ["delta"] = call.Arguments });
        Send("response.function_call_arguments.done", new JsonObject { ["item_id"] = id, ["output_index"] = _output.Count, ["arguments"] = call.Arguments });
        AddItem(Item("completed", call.Arguments));
    }

    void AddItem(JsonObject item)
    {
        Send("response.output_item.done", new JsonObject { ["output_index"] = _output.Count, ["item"] = item.DeepClone() });
        _output.Add(item);
    }

    JsonObject TextItem(string status, JsonArray content) => new() { ["type"] = "message", ["id"] = _textId, ["status"] = status, ["role"] = "assistant", ["content"] = content };

    static JsonObject Part(string text) => new() { ["type"] = "output_text", ["text"] = text, ["annotations"] = new JsonArray(), ["logprobs"] = new JsonArray() };

    JsonObject Response()
    {
        bool incomplete = _result?.FinishReason == FinishReason.Length;
        JsonObject response = new()
        {
            ["id"] = run.Request.Id,
            ["object"] = "response",
            ["created_at"] = _created,
            ["status"] = _result is null ? "in_progress" : incomplete ? "incomplete" : "completed",
            ["error"] = null,
            ["incomplete_details"] = incomplete ? new JsonObject { ["reason"] = "max_output_tokens" } : null,
            ["model"] = model.Id,
            ["output"] = _output.DeepClone(),
            ["usage"] = _result is null ? null : UsageOf(_result),
        };
        foreach ((string name, JsonNode? value) in request.Echo)
            response[name] = value?.DeepClone();
        return response;
    }

    static JsonObject UsageOf(GenerationResult result) => new()
    {
        ["input_tokens"] = result.PromptTokens,
        ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = result.ReusedTokens, ["cache_write_tokens"] = result.ComputedTokens },
        ["output_tokens"] = result.TokenIds.Count,
        ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = 0 },
        ["total_tokens"] = result.PromptTokens + result.TokenIds.Count,
    };

    /// <summary>Keeps the conversation with this answer, to be continued.</summary>
    void Keep()
    {
        if (!request.Stores)
            return;
        ChatTranscript conversation = new();
        foreach (JsonNode? message in request.Conversation)
            conversation.Messages.Add(message!.DeepClone());
        foreach (JsonNode? item in _output)
            if ((string?)item!["type"] == "message")
                conversation.Add("assistant", (string?)item["content"]![0]!["text"]);
            else
                conversation.AddCall((string)item["call_id"]!, (string)item["name"]!, (string)item["arguments"]!);
        store.Keep(run.Request.Id, run.Request.Principal, conversation.Messages);
    }

    void Send(string type, JsonObject data)
    {
        if (_events is null)
            return;
        data.Insert(0, "type", type);
        data["sequence_number"] = _number++;
        _events.Send(data, OpenAiJson.Default.JsonObject, type);
    }
}
