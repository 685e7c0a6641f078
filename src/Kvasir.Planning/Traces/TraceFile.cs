namespace Kvasir.Planning.Traces;

/// <summary>What was read of a file.</summary>
/// <param name="Trace">The requests.</param>
/// <param name="Header">What the file says about them; null for a file of Mooncake's format, which has none.</param>
/// <param name="TornLine">Number of the last line when its end is missing, as after a crash; it is left out. Null for a whole file.</param>
public sealed record TraceFile(Trace Trace, TraceHeader? Header, long? TornLine);

/// <summary>How a trace file is read.</summary>
public sealed record TraceReadOptions
{
    /// <summary>Tokens of a block in Mooncake's traces.</summary>
    public const int MooncakeBlockTokens = 512;

    /// <summary>Tokens of a block; null for what the file says, or for Mooncake's 512.</summary>
    public int? BlockTokens { get; init; }

    /// <summary>Whether requests that are not in the order of their arrival are put into it, and not refused.</summary>
    public bool Sort { get; init; }
}
