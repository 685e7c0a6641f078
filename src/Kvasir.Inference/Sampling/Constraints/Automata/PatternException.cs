namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>A regular expression that has no automaton here. The message says what was seen where.</summary>
public sealed class PatternException(string message) : Exception(message);
