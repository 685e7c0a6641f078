namespace Kvasir.Server.Http;

/// <summary>A request that cannot be served, in the words and codes that clients of the protocol know.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="message">One line: what was seen, and what was expected.</param>
/// <param name="parameter">The field of the body that is wrong, if one is.</param>
/// <param name="code">A name for programs, if there is one.</param>
sealed class RequestException(int status, string message, string? parameter = null, string? code = null) : Exception(message)
{
    public int Status => status;
    public string? Field => parameter;
    public string? Code => code;

    /// <summary>When to try again, where that may help.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Numbers that belong to the error.</summary>
    public (int PromptTokens, int Context)? Overflow { get; init; }

    /// <summary>OpenAI's name for errors of this status, or another protocol's.</summary>
    public string Type { get; init; } = status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        501 => "not_supported_error",
        503 => "unavailable_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };
}
