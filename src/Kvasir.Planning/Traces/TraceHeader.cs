namespace Kvasir.Planning.Traces;

/// <summary>What the first line of a recording says about all others.</summary>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="Model">Name of the model that served the requests; null when unknown.</param>
/// <param name="BytesPerToken">Bytes of a token's keys and values; null when unknown.</param>
public sealed record TraceHeader(int BlockTokens, string? Model = null, long? BytesPerToken = null)
{
    /// <summary>The version that is written and read.</summary>
    public const int Version = 1;

    /// <summary>Blocks of more tokens than this are refused.</summary>
    public const int MostBlockTokens = 1 << 20;
}
