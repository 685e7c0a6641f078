using System.Globalization;
using System.Text.Json.Serialization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>OpenAI's error: <c>{"error": {"message", "type", "param", "code"}}</c>.</summary>
sealed record ErrorBody(ErrorDetail Error)
{
    public static ErrorBody Of(RequestException e) =>
        new(new ErrorDetail(e.Message, e.Type, e.Field, e.Code, e.Overflow?.PromptTokens, e.Overflow?.Context));
}

/// <summary>What went wrong. The last two stand there when a prompt is too long.</summary>
sealed record ErrorDetail(string Message, string Type, string? Param, string? Code,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? NPromptTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? NCtx);

/// <summary>Anthropic's error: <c>{"type": "error", "error": {"type", "message"}}</c>.</summary>
sealed record AnthropicError(string Type, AnthropicErrorDetail Error)
{
    /// <summary>Its clients hold conversations at the server, and go on without that when they hear that this one does not.</summary>
    static readonly AnthropicErrorCode s_noThreads = new("thread_unsupported_request", ["thread"]);

    public static AnthropicError Of(RequestException e) => new("error", new AnthropicErrorDetail(
        e.Status switch { 404 => "not_found_error", 529 or 503 => "overloaded_error", >= 500 => "api_error", _ => e.Type }, e.Message,
        e is { Field: "thread", Code: "unsupported_field" } ? s_noThreads : null));
}

/// <summary>What went wrong; details where clients act upon them.</summary>
sealed record AnthropicErrorDetail(string Type, string Message,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] AnthropicErrorCode? Details);

/// <summary>An error that clients know by its code, and the features that it is about.</summary>
sealed record AnthropicErrorCode(string ErrorCode, IReadOnlyList<string> Unsupported);

/// <summary>Ollama's error: <c>{"error": "…"}</c>.</summary>
sealed record OllamaError(string Error)
{
    public static OllamaError Of(RequestException e) => new(e.Message);
}

/// <summary>Turns failures into the answers that clients know; what nobody foresaw becomes a 500 that says nothing of the inside.</summary>
static class Errors
{
    /// <summary>What a failure is to a client; null for one that nobody foresaw.</summary>
    /// <param name="e">The failure.</param>
    /// <param name="path">Where the client asked.</param>
    public static RequestException? Of(Exception e, string path) => e switch
    {
        RequestException known => known,
        ContextExceededException overflow => new RequestException(400,
            overflow.Tokens == overflow.Context
                ? $"the prompt has {overflow.Tokens:N0} tokens, which fill the context: nothing could follow"
                : $"the prompt has at least {overflow.Tokens:N0} tokens, which exceeds the available context size: the context holds "
                    + $"{overflow.Context:N0}",
            PromptOf(path), "context_length_exceeded")
        {
            Overflow = (overflow.Tokens, overflow.Context),
            Type = IsLlamaServers(path) ? "exceed_context_size_error" : "invalid_request_error",
        },
        TemplateException refusal => new RequestException(400, refusal.Message, "messages", "chat_template"),
        ToolSchemaException tool when $"tools[{tool.Index}].function.parameters" is var field =>
            new RequestException(400, $"{field}: {tool.InnerException!.Message}", field, "invalid_schema"),
        LogitsException damaged => new RequestException(500, damaged.Message, code: "logits_not_numbers"),
        QueueFullException full => new RequestException(429, full.Message, code: "queue_full") { RetryAfter = full.RetryAfter },
        ObjectDisposedException => new RequestException(503, "the server is shutting down", code: "shutting_down"),
        BadHttpRequestException bad => new RequestException(bad.StatusCode, "the request is malformed"),
        _ => null,
    };

    /// <summary>Paths without a version are llama-server's, which has its own name for a prompt that is too long.</summary>
    static bool IsLlamaServers(string path) => !path.StartsWith("/v1/", StringComparison.Ordinal);

    /// <summary>The field that holds the prompt.</summary>
    static string PromptOf(string path) => path switch
    {
        "/v1/completions" or "/completion" or "/completions" or "/infill" or "/api/generate" => "prompt",
        "/v1/embeddings" or "/v1/responses" or "/embedding" or "/embeddings" or "/api/embed" => "input",
        _ => "messages",
    };

    public static async Task Write(HttpContext context, RequestException e)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }
        // headers that are there already stay: a page of another origin may read the error, and a wrong method learns the right ones
        context.Response.StatusCode = e.Status;
        context.Response.ContentLength = null;
        if (e.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (e.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        if (context.Request.Path.StartsWithSegments("/api"))
            await context.Response.WriteAsJsonAsync(OllamaError.Of(e), HttpJson.Wire.OllamaError);
        else if (context.Request.Path.StartsWithSegments("/v1/messages") || context.Request.Headers.ContainsKey("anthropic-version"))
            await context.Response.WriteAsJsonAsync(AnthropicError.Of(e), HttpJson.Wire.AnthropicError);
        else
            await context.Response.WriteAsJsonAsync(ErrorBody.Of(e), HttpJson.Wire.ErrorBody);
    }
}
