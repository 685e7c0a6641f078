using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Anthropic;

/// <summary>A streamed message: its start, its blocks each with start, deltas and stop, why it stopped, and its end.</summary>
sealed class MessagesStream(HttpContext context, ServedModel model, MessagesRequest request, CompletionRun run)
{
    readonly ToolCallFilter? _filter = request.UsesTools ? new ToolCallFilter(model.Prompts.Tools!) : null;
    int _blocks, _calls;
    bool _textIsOpen;
    GenerationResult? _result;

    /// <summary>Writes it; returns why it stopped.</summary>
    public async Task<string> Write()
    {
        using EventStream events = new(context.Response);
        Send(events, "message_start", new JsonObject { ["message"] = Messages.Message(run, model, [], null, false) });
        Send(events, "ping", []);
        await events.Flush(context.RequestAborted);
        await StreamPump.Run(run, events, piece => Take(events, piece), failure => events.Send(AnthropicError.Of(failure), HttpJson.Default.AnthropicError, "error"), context.RequestAborted);
        JsonObject end = new()
        {
            ["delta"] = new JsonObject { ["stop_reason"] = Messages.StopReason(_result!, _calls > 0), ["stop_sequence"] = _result!.StopText },
            ["usage"] = Messages.Usage(run.Request.PromptTokens, _result, model.Engine.Layout.BlockTokens),
        };
        if (run.ExplanationOf(_result) is { } explanation)
            end["kvasir"] = JsonSerializer.SerializeToNode(explanation, AnthropicJson.Default.Explanation);
        Send(events, "message_delta", end);
        Send(events, "message_stop", []);
        await events.Flush(context.RequestAborted);
        return Messages.StopReason(_result, _calls > 0);
    }

    void Take(EventStream events, ChoicePiece piece)
    {
        (string text, List<ToolCall> calls) = _filter is null ? (piece.Piece.Text, []) : piece.Result is null ? _filter.Append(piece.Piece.Text) : _filter.Flush();
        _result = piece.Result ?? _result;
        if (text.Length > 0)
            SendText(events, text);
        foreach (ToolCall call in calls)
            SendCall(events, call);
        if (piece.Result is not null && _blocks == 0)
            SendText(events, ""); // an answer without a word has a block all the same
        if (piece.Result is not null)
            CloseText(events);
    }

    void SendText(EventStream events, string text)
    {
        if (!_textIsOpen)
            Send(events, "content_block_start", new JsonObject { ["index"] = _blocks, ["content_block"] = new JsonObject { ["type"] = "text", ["text"] = "" } });
        _textIsOpen = true;
        if (text.Length > 0)
            Send(events, "content_block_delta", new JsonObject { ["index"] = _blocks, ["delta"] = new JsonObject { ["type"] = "text_delta", ["text"] = text } });
    }

    void CloseText(EventStream events)
    {
        if (_textIsOpen)
            Send(events, "content_block_stop", new JsonObject { ["index"] = _blocks++ });
        _textIsOpen = false;
    }

    void SendCall(EventStream events, ToolCall call)
    {
        CloseText(events);
        _calls++;
        Send(events, "content_block_start", new JsonObject { ["index"] = _blocks, ["content_block"] = Messages.ToolUse(call, new JsonObject()) });
        Send(events, "content_block_delta", new JsonObject { ["index"] = _blocks, ["delta"] = new JsonObject { ["type"] = "input_json_delta", ["partial_json"] = call.Arguments } });
        Send(events, "content_block_stop", new JsonObject { ["index"] = _blocks++ });
    }

    static void Send(EventStream events, string type, JsonObject data)
    {
        data.Insert(0, "type", type);
        events.Send(data, AnthropicJson.Default.JsonObject, type);
    }
}
