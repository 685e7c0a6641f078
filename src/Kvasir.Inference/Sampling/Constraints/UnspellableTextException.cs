namespace Kvasir.Inference.Sampling.Constraints;

/// <summary>A vocabulary has no token for what a grammar demands, so that the completion can neither go on nor end.</summary>
public sealed class UnspellableTextException(string message) : InvalidOperationException(message);
