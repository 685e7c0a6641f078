using System.Text.Json.Nodes;
using Kvasir.Server.Http;

namespace Kvasir.Server.Ollama;

/// <summary>Ollama's <c>think</c>: whether, or how much, a model is to think before it answers.</summary>
static class Thoughts
{
    /// <summary>What the chat template is told; null where nothing is said.</summary>
    public static JsonObject? Variables(Field think) => think.IsAbsent ? null
        : think.IsString
            ? new JsonObject { ["enable_thinking"] = true, ["reasoning_effort"] = think.OneOf("low", "medium", "high") }
            : new JsonObject { ["enable_thinking"] = think.Truth() };
}
