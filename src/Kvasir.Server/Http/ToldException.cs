namespace Kvasir.Server.Http;

/// <summary>A failure that a stream has told its client already: the response ends as it should, and the log hears of it.</summary>
sealed class ToldException(Exception cause) : Exception(cause.Message, cause);
