namespace Kvasir.Serving;

/// <summary>Nothing can be measured. The message is one line and says why.</summary>
sealed class ServingException(string message) : Exception(message);
