namespace Kvasir.Server.Http;

/// <summary>An answer that is sent in pieces. What is written waits for <see cref="Flush"/>.</summary>
interface IAnswerStream
{
    /// <summary>Writes what clients pass over and proxies count as life.</summary>
    void SendPing();

    /// <summary>Sends what has been written.</summary>
    ValueTask Flush(CancellationToken cancellation);
}
