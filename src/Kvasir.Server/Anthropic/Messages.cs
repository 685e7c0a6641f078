using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Anthropic;

/// <summary><c>POST /v1/messages</c> and <c>/v1/messages/count_tokens</c>.</summary>
static class Messages
{
    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Messages, async body =>
        {
            MessagesRequest request = MessagesRequest.Read(body, service.Model,
                Gate.PrincipalOf(context), RequestReader.Explains(context));
            RequestFields.TellSkipped(context, request.Input);
            await service.Serve(context, request.Completion, run => request.Streams
                ? new MessagesStream(context, service.Model, request, run).Write()
                : Answer(context, service.Model, request, run));
        });

    public static Task CountTokens(HttpContext context, ServedModel model) =>
        RequestFields.Read(context, Endpoints.Messages, async body =>
        {
            ChatInput input = MessagesRequest.ReadConversation(body);
            Thinking thinking = Thinking.OfMessages(body);
            int tokens = input.Write(model, MessagesRequest.Choice(body["tool_choice"], input), thinking,
                MessagesRequest.End(body, input, thinking)).Tokens.Length;
            await context.Response.WriteAsJsonAsync(new MessageTokens(tokens), AnthropicJson.Wire.MessageTokens);
        });

    /// <summary>Why an answer ended, in Anthropic's words.</summary>
    public static string StopReason(GenerationResult result, bool hasCalls)
    {
        if (result.FinishReason == FinishReason.Length)
            return "max_tokens";
        return hasCalls ? "tool_use" : result.StopText is null ? "end_turn" : "stop_sequence";
    }

    static async Task<string> Answer(HttpContext context, ServedModel model, MessagesRequest request, CompletionRun run)
    {
        (ChoiceText[] texts, GenerationResult[] results) = await ChoiceText.ReadAll(run);
        (ChoiceText text, GenerationResult result) = (texts[0], results[0]);
        List<MessageBlock> content = 
            [.. text.Calls.Where(call => call.IsWhole).Select(call => ToolUseBlock.Of(call.Call, call.Call.Arguments))];
        if (text.Text.Length > 0 || (content.Count == 0 && text.Thoughts.Length == 0))
            content.Insert(0, new TextBlock(text.Text));
        if (text.Thoughts.Length > 0)
            content.Insert(0, ThinkingBlock.Of(text.Thoughts) with { Thinking = request.OmitsThoughts ? "" : text.Thoughts });
        Message message = Message.Of(run, model, content, result, text.Calls.Count > 0) with { Kvasir = run.ExplanationOf(result) };
        await context.Response.WriteAsJsonAsync(message, AnthropicJson.Wire.Message, cancellationToken: context.RequestAborted);
        return StopReason(result, text.Calls.Count > 0);
    }
}
