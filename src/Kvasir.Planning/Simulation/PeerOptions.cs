namespace Kvasir.Planning.Simulation;

/// <summary>The way between machines that compute prompts and those that answer.</summary>
public sealed record PeerOptions
{
    /// <summary>Tokens that are computed in one pass, and sent when it is over.</summary>
    internal const int ChunkTokens = 512;

    /// <summary>Fewer missing tokens are computed by who answers.</summary>
    internal const int LeastTokens = 64;

    /// <summary>Bytes a second that a machine which computes can send.</summary>
    public double BytesPerS { get; init; } = 12.5e9;

    /// <summary>Time of one way.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMicroseconds(100);

    internal void Check()
    {
        if (!(BytesPerS > 0) || Latency < TimeSpan.Zero)
            throw new ArgumentException($"peers: {BytesPerS} bytes a second after {Latency}, expected more than 0, and 0 or more");
    }
}
