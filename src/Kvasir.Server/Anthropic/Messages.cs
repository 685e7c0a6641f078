using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
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
    public static async Task Handle(HttpContext context, CompletionService service)
    {
        using var body = await RequestBody.Read(context);
        MessagesRequest request = MessagesRequest.Read(new Field("", body.RootElement), service.Model, Gate.PrincipalOf(context), RequestReader.Explains(context));
        await service.Serve(context, request.Completion, run => request.Streams ? new MessagesStream(context, service.Model, request, run).Write() : Answer(context, service.Model, request, run));
    }

    public static async Task CountTokens(HttpContext context, ServedModel model)
    {
        using var json = await RequestBody.Read(context);
        Field body = new("", json.RootElement);
        ChatInput input = MessagesRequest.ReadConversation(body);
        int tokens = input.Encode(model, MessagesRequest.Choice(body["tool_choice"], input).For(model)).Length;
        await context.Response.WriteAsJsonAsync(new JsonObject { ["input_tokens"] = tokens }, AnthropicJson.Wire.JsonObject);
    }

    /// <summary>Why an answer ended, in Anthropic's words.</summary>
    public static string StopReason(GenerationResult result, bool hasCalls)
    {
        if (result.FinishReason == FinishReason.Length)
            return "max_tokens";
        return hasCalls ? "tool_use" : result.StopText is null ? "end_turn" : "stop_sequence";
    }

    /// <summary>
    /// What was used. The three parts of the prompt are apart in this protocol: read from the cache, written to it in full blocks, and the rest. What is not known yet is null.
    /// </summary>
    public static JsonObject Usage(int promptTokens, GenerationResult? result, int blockTokens)
    {
        int? read = result?.ReusedTokens, written = result is null ? null : Math.Max(0, result.ComputedTokens - promptTokens % blockTokens);
        return new JsonObject
        {
            ["input_tokens"] = promptTokens - (read ?? 0) - (written ?? 0),
            ["cache_creation_input_tokens"] = written,
            ["cache_read_input_tokens"] = read,
            ["cache_creation"] = written is null ? null : new JsonObject { ["ephemeral_5m_input_tokens"] = written, ["ephemeral_1h_input_tokens"] = 0 },
            ["output_tokens"] = result?.TokenIds.Count ?? 0,
        };
    }

    /// <summary>The message around its content.</summary>
    public static JsonObject Message(CompletionRun run, ServedModel model, JsonArray content, GenerationResult? result, bool hasCalls) => new()
    {
        ["id"] = run.Request.Id,
        ["type"] = "message",
        ["role"] = "assistant",
        ["model"] = model.Id,
        ["content"] = content,
        ["stop_reason"] = result is null ? null : StopReason(result, hasCalls),
        ["stop_sequence"] = result?.StopText,
        ["usage"] = Usage(run.Request.PromptTokens, result, model.Engine.Layout.BlockTokens),
    };

    public static JsonObject ToolUse(ToolCall call, JsonNode? input) => new() { ["type"] = "tool_use", ["id"] = call.Id.Replace("call_", "toolu_", StringComparison.Ordinal), ["name"] = call.Name, ["input"] = input };

    static async Task<string> Answer(HttpContext context, ServedModel model, MessagesRequest request, CompletionRun run)
    {
        ChoiceText text = new(request.UsesTools ? model.Prompts.Tools : null);
        GenerationResult result = (await ChoiceText.ReadAll(run, [text]))[0];
        JsonArray content = [];
        if (text.Text.Length > 0 || text.Calls.Count == 0)
            content.Add(new JsonObject { ["type"] = "text", ["text"] = text.Text });
        foreach (ToolCall call in text.Calls)
            content.Add(ToolUse(call, JsonNode.Parse(call.Arguments)));
        JsonObject message = Message(run, model, content, result, text.Calls.Count > 0);
        if (run.ExplanationOf(result) is { } explanation)
            message["kvasir"] = System.Text.Json.JsonSerializer.SerializeToNode(explanation, AnthropicJson.Default.Explanation);
        await context.Response.WriteAsJsonAsync(message, AnthropicJson.Wire.JsonObject, cancellationToken: context.RequestAborted);
        return StopReason(result, text.Calls.Count > 0);
    }
}
