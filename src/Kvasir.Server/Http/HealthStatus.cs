namespace Kvasir.Server.Http;

/// <summary>The answer of <c>/health</c>.</summary>
sealed record HealthStatus(string Status);
