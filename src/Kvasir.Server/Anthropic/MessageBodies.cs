using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Anthropic;

/// <summary>The answer of <c>/v1/messages</c>; at the start of a stream without content, and without what is not known yet.</summary>
sealed record Message(
    string Id, string Type, string Role, string Model, IReadOnlyList<MessageBlock> Content, string? StopReason,
    string? StopSequence, MessageUsage Usage,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Explanation? Kvasir = null)
{
    public static Message Of(CompletionRun run, ServedModel model, IReadOnlyList<MessageBlock> content,
        GenerationResult? result, bool hasCalls) => new(
        run.Request.Id, "message", "assistant", run.ModelName, content,
        result is null ? null : Messages.StopReason(result, hasCalls), result?.StopText,
        MessageUsage.Of(run, result, model.Engine.Layout.BlockTokens));
}

/// <summary>A part of a message: what was said, or a call.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(TextBlock), "text")]
[JsonDerivedType(typeof(ToolUseBlock), "tool_use")]
[JsonDerivedType(typeof(ThinkingBlock), "thinking")]
abstract record MessageBlock;

/// <summary>What was said.</summary>
sealed record TextBlock(string Text) : MessageBlock;

/// <summary>
/// What the model thought. Clients send it back with its signature, which here says only what text it was of: nobody checks it.
/// </summary>
sealed record ThinkingBlock(string Thinking, string Signature) : MessageBlock
{
    public static ThinkingBlock Of(string thoughts) => new(thoughts, SignatureOf(thoughts));

    public static string SignatureOf(string thoughts) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(thoughts)));
}

/// <summary>A call of a tool, its arguments as JSON.</summary>
sealed record ToolUseBlock(string Id, string Name, JsonElement Input) : MessageBlock
{
    public static ToolUseBlock Of(ToolCall call, string input) =>
        new(call.Id.Replace("call_", "toolu_", StringComparison.Ordinal), call.Name, JsonElement.Parse(input));
}

/// <summary>
/// What was used. The three parts of the prompt are apart in this protocol: read from the cache, written to it in full blocks, and the
/// rest. What is not known yet is null.
/// </summary>
sealed record MessageUsage(int InputTokens, int? CacheCreationInputTokens, int? CacheReadInputTokens,
    CacheCreation? CacheCreation, int OutputTokens)
{
    /// <summary>What was left out of the prompt's keys and values; absent when nothing was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RetentionUsage? KvRetention { get; init; }

    public static MessageUsage Of(CompletionRun run, GenerationResult? result, int blockTokens)
    {
        int promptTokens = run.Request.PromptTokens;
        if (result is null)
            return new MessageUsage(promptTokens, null, null, null, 0);
        int read = result.ReusedTokens, written = Math.Max(0, result.ComputedTokens - promptTokens % blockTokens);
        return new MessageUsage(promptTokens - read - written, written, read, new CacheCreation(written, 0), result.TokenIds.Count)
        {
            KvRetention = run.RetentionOf([result]),
        };
    }
}

/// <summary>How long what was written stays: here as long as there is room.</summary>
sealed record CacheCreation(
    [property: JsonPropertyName("ephemeral_5m_input_tokens")] int FiveMinutes,
    [property: JsonPropertyName("ephemeral_1h_input_tokens")] int OneHour);

/// <summary>The answer of <c>/v1/messages/count_tokens</c>.</summary>
sealed record MessageTokens(int InputTokens);
