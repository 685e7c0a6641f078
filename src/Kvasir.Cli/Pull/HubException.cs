namespace Kvasir.Cli.Pull;

/// <summary>The hub does not give what was asked for. The message is one line, and says what would help.</summary>
sealed class HubException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>What may pass when it is tried again.</summary>
sealed class HubTroubleException(string message, TimeSpan? retryAfter = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How long the hub wants to be left alone.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
