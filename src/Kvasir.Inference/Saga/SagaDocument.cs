namespace Kvasir.Inference.Saga;

/// <summary>A text of the saga language that states facts.</summary>
/// <param name="Text">The sentences in paragraphs, with some weather between them.</param>
/// <param name="Facts">What it states, in order. No two facts answer the same question.</param>
public sealed record SagaDocument(string Text, IReadOnlyList<SagaFact> Facts);
