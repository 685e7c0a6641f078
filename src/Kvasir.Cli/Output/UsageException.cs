namespace Kvasir.Cli.Output;

/// <summary>The user asked for something that makes no sense. The message is one line and says what would.</summary>
sealed class UsageException(string message) : Exception(message);
