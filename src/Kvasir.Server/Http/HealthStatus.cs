using System.Text.Json.Serialization;

namespace Kvasir.Server.Http;

/// <summary>The answer of <c>/health</c>.</summary>
sealed record HealthStatus(string Status)
{
    /// <summary>The tiers with which something is wrong; absent when nothing is. What it is, those with a key are told.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Degraded { get; init; }
}
