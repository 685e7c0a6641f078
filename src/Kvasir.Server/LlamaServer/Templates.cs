using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary>What the chat template makes of a conversation.</summary>
sealed record WrittenPrompt(string Prompt);

/// <summary>
/// <c>POST /apply-template</c> and <c>/v1/chat/completions/input_tokens</c>: a conversation as text, and its tokens counted.
/// </summary>
static class Templates
{
    public static Task Write(HttpContext context, ServedModel model) =>
        RequestFields.Read(context, Endpoints.ApplyTemplate, body =>
        {
            RequestReader.CheckModel(body, model);
            return context.Response.WriteAsJsonAsync(new WrittenPrompt(ChatRequest.Write(body, model)), LlamaServerJson.Wire.WrittenPrompt);
        });

    public static Task Count(HttpContext context, ServedModel model) =>
        RequestFields.Read(context, Endpoints.Chat, body =>
        {
            RequestReader.CheckModel(body, model);
            return context.Response.WriteAsJsonAsync(
                new ResponseInputTokens("response.input_tokens", ChatRequest.Encode(body, model).Length), OpenAiJson.Wire.ResponseInputTokens);
        });
}
