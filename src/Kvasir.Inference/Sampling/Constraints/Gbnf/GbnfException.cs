namespace Kvasir.Inference.Sampling.Constraints.Gbnf;

/// <summary>A GBNF grammar cannot be used. The message is one line: <c>line and column: what was seen, expected what</c>.</summary>
public sealed class GbnfException(string message) : Exception(message);
