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
            await service.Serve(context, request.Completion, run => request.Streams
                ? new MessagesStream(context, service.Model, request, run).Write()
                : Answer(context, service.Model, request, run));
        });

    public static Task CountTokens(HttpContext context, ServedModel model) =>
        RequestFields.Read(context, Endpoints.Messages, async body =>
        {
            RequestReader.CheckModel(body, model);
            ChatInput input = MessagesRequest.ReadConversation(body);
            int tokens = input.Encode(model, MessagesRequest.Choice(body["tool_choice"], input).For(model)).Length;
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
        ChoiceText text = new(request.UsesTools ? model.Prompts.Tools : null);
        GenerationResult result = (await ChoiceText.ReadAll(run, [text]))[0];
        List<MessageBlock> content = [.. text.Calls.Select(call => ToolUseBlock.Of(call, call.Arguments))];
        if (text.Text.Length > 0 || content.Count == 0)
            content.Insert(0, new TextBlock(text.Text));
        Message message = Message.Of(run, model, content, result, text.Calls.Count > 0) with { Kvasir = run.ExplanationOf(result) };
        await context.Response.WriteAsJsonAsync(message, AnthropicJson.Wire.Message, cancellationToken: context.RequestAborted);
        return StopReason(result, text.Calls.Count > 0);
    }
}
