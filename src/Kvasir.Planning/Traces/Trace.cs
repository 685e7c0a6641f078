namespace Kvasir.Planning.Traces;

/// <summary>Requests in the order of their arrival, without their texts.</summary>
/// <param name="Name">Name for reports: of the file, or of the generator and its settings.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="Requests">The requests.</param>
public sealed record Trace(string Name, int BlockTokens, IReadOnlyList<TraceRequest> Requests);

/// <summary>One request.</summary>
/// <param name="Arrival">When it came, from the start of the trace.</param>
/// <param name="InputTokens">Tokens of the prompt; at least 1.</param>
/// <param name="OutputTokens">Tokens of the answer, one that ended it included. The last one is never computed.</param>
/// <param name="Blocks">
/// The prompt's blocks in their order, <c>⌈InputTokens / BlockTokens⌉</c> of them, so that the last may not be full. An id stands for a
/// block and everything before it: equal ids, equal prefixes.
/// </param>
/// <param name="Left">The blocks of prompt and answer together that the request leaves behind, the last perhaps not full; null when the
/// trace does not say, and then those of the prompt.</param>
/// <param name="Tail">The block of which the prompt's first missing one begins with a copy; null when the trace knows of none.</param>
public sealed record TraceRequest(TimeSpan Arrival, int InputTokens, int OutputTokens, long[] Blocks,
    long[]? Left = null, TraceTail? Tail = null);

/// <summary>A block that begins as a prompt goes on after its last whole block that was there.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Tokens">Tokens that both have.</param>
public sealed record TraceTail(long Id, int Tokens);
