using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Cluster.Routing;

/// <summary>What a router says itself when no node can, in the form in which nodes say it.</summary>
static class RouterErrors
{
    const string RetryAfterSeconds = "1"; // about as long as it takes to see that a node is back

    public static Task Write(HttpContext context, int status, string code, string message)
    {
        context.Response.Clear();
        context.Response.StatusCode = status;
        if (status == StatusCodes.Status503ServiceUnavailable)
            context.Response.Headers.RetryAfter = RetryAfterSeconds;
        string type = status switch { 503 => "unavailable_error", >= 500 => "server_error", _ => "invalid_request_error" };
        return context.Request.Path.StartsWithSegments("/v1/messages") || context.Request.Headers.ContainsKey("anthropic-version")
            ? context.Response.WriteAsJsonAsync(new RouterAnthropicError("error", new RouterAnthropicDetail(
                status == 503 ? "overloaded_error" : status >= 500 ? "api_error" : type, message)), RouterJson.Default.RouterAnthropicError)
            : context.Response.WriteAsJsonAsync(new RouterError(new RouterErrorDetail(message, type, null, code)),
                RouterJson.Default.RouterError);
    }
}

/// <summary>OpenAI's error.</summary>
sealed record RouterError(RouterErrorDetail Error);

/// <summary>What went wrong.</summary>
sealed record RouterErrorDetail(string Message, string Type, string? Param, string Code);

/// <summary>Anthropic's error.</summary>
sealed record RouterAnthropicError(string Type, RouterAnthropicDetail Error);

/// <summary>What went wrong.</summary>
sealed record RouterAnthropicDetail(string Type, string Message);

/// <summary>Whether the router can serve.</summary>
sealed record RouterHealth(string Status, int Nodes, int Alive);

/// <summary>What a router writes itself.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RouterError))]
[JsonSerializable(typeof(RouterAnthropicError))]
[JsonSerializable(typeof(RouterHealth))]
sealed partial class RouterJson : JsonSerializerContext;
