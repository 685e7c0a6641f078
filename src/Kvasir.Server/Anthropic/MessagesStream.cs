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
        Send(events, new MessageStart(Message.Of(run, model, [], null, false)));
        Send(events, new MessageEvent("ping"));
        await events.Flush(context.RequestAborted);
        await StreamPump.Run(run, events, piece => Take(events, piece),
            failure => events.Send(AnthropicError.Of(failure), HttpJson.Default.AnthropicError, "error"), context.RequestAborted);
        string reason = Messages.StopReason(_result!, _calls > 0);
        Send(events, new MessageDelta(
            new StopDelta(reason, _result!.StopText), MessageUsage.Of(run, _result, model.Engine.Layout.BlockTokens),
            run.ExplanationOf(_result!)));
        Send(events, new MessageEvent("message_stop"));
        await events.Flush(context.RequestAborted);
        return reason;
    }

    void Take(EventStream events, ChoicePiece piece)
    {
        (string text, List<ToolCall> calls) = _filter is null ? (piece.Piece.Text, [])
            : piece.Result is null ? _filter.Append(piece.Piece.Text)
            : _filter.Flush();
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
            Send(events, new BlockStart(_blocks, new TextBlock("")));
        _textIsOpen = true;
        if (text.Length > 0)
            Send(events, new BlockDelta(_blocks, new TextPiece(text)));
    }

    void CloseText(EventStream events)
    {
        if (_textIsOpen)
            Send(events, new BlockStop(_blocks++));
        _textIsOpen = false;
    }

    void SendCall(EventStream events, ToolCall call)
    {
        CloseText(events);
        _calls++;
        Send(events, new BlockStart(_blocks, ToolUseBlock.Of(call, "{}")));
        Send(events, new BlockDelta(_blocks, new InputPiece(call.Arguments)));
        Send(events, new BlockStop(_blocks++));
    }

    static void Send(EventStream events, MessageEvent data) => events.Send(data, AnthropicJson.Default.MessageEvent, data.Type);
}
