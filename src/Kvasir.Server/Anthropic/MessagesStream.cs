using System.Text;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Anthropic;

/// <summary>A streamed message: its start, its blocks each with start, deltas and stop, why it stopped, and its end.</summary>
sealed class MessagesStream(HttpContext context, ServedModel model, MessagesRequest request, CompletionRun run)
{
    readonly AnswerReader _reader = run.Request.Plan!.NewReader();
    readonly StringBuilder _thoughts = new();
    int _blocks, _calls;
    MessageBlock? _open;
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
        foreach (AnswerPart part in piece.Read(_reader, run.Request))
            Send(events, part);
        if (piece.Result is not { } result)
            return;
        _result = result;
        if (_blocks == 0 && _open is null)
            Open(events, new TextBlock("")); // an answer without a word has a block all the same
        Close(events);
    }

    void Send(EventStream events, AnswerPart part)
    {
        switch (part.Kind)
        {
            case AnswerPartKind.Text:
                Open(events, new TextBlock(""));
                Send(events, new BlockDelta(_blocks, new TextPiece(part.Text)));
                break;
            case AnswerPartKind.Thought:
                Open(events, new ThinkingBlock("", ""));
                _thoughts.Append(part.Text);
                if (!request.OmitsThoughts)
                    Send(events, new BlockDelta(_blocks, new ThinkingPiece(part.Text)));
                break;
            case AnswerPartKind.Call:
                _calls++;
                Open(events, ToolUseBlock.Of(part.Call!, "{}"));
                break;
            case AnswerPartKind.Arguments:
                Send(events, new BlockDelta(_blocks, new InputPiece(part.Text)));
                break;
            case AnswerPartKind.CallEnd:
                Close(events);
                break;
        }
    }

    /// <summary>Begins a block, unless one of its kind is open that goes on.</summary>
    void Open(EventStream events, MessageBlock block)
    {
        if (_open?.GetType() == block.GetType())
            return;
        Close(events);
        _open = block;
        Send(events, new BlockStart(_blocks, block));
    }

    void Close(EventStream events)
    {
        if (_open is null)
            return;
        if (_open is ThinkingBlock)
            Send(events, new BlockDelta(_blocks, new SignaturePiece(ThinkingBlock.SignatureOf(_thoughts.ToString()))));
        _open = null;
        Send(events, new BlockStop(_blocks++));
    }

    static void Send(EventStream events, MessageEvent data) => events.Send(data, AnthropicJson.Default.MessageEvent, data.Type);
}
