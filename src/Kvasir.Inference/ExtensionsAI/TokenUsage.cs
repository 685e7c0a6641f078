using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>What completions took, in Microsoft.Extensions.AI's terms.</summary>
static class TokenUsage
{
    /// <summary>Tokens of all of them. Cached ones are among the input; the additional counts say in which tier they were found.</summary>
    public static UsageDetails Of(params IReadOnlyCollection<GenerationResult> results) => new()
    {
        InputTokenCount = results.Sum(result => result.PromptTokens),
        OutputTokenCount = results.Sum(result => result.TokenIds.Count),
        TotalTokenCount = results.Sum(result => result.PromptTokens + result.TokenIds.Count),
        ReasoningTokenCount = results.Sum(result => result.ThoughtTokens),
        CachedInputTokenCount = results.Sum(result => result.ReusedTokens),
        AdditionalCounts = new AdditionalPropertiesDictionary<long>
        {
            ["kvasir.kv.device"] = results.Sum(result => result.Kv.Device),
            ["kvasir.kv.host"] = results.Sum(result => result.Kv.Host),
            ["kvasir.kv.disk"] = results.Sum(result => result.Kv.Disk),
            ["kvasir.kv.remote"] = results.Sum(result => result.Kv.Remote),
        },
    };
}
