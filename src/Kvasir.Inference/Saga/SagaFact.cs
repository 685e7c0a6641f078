namespace Kvasir.Inference.Saga;

/// <summary>A question about a fact, and the answer that the document gives.</summary>
/// <param name="Text">Such as <c>Where does Einar keep the lamp?</c></param>
/// <param name="Answer">Such as <c>Einar keeps the red lamp in the boat house.</c></param>
public sealed record SagaQuestion(string Text, string Answer);

/// <summary>A sentence that states something, and what may be asked about it.</summary>
/// <param name="Kind">What it is about: <c>object</c>, <c>code</c>, <c>relation</c>, <c>job</c>, <c>animals</c>,
/// <c>food</c> or <c>walk</c>.</param>
/// <param name="Text">The sentence.</param>
/// <param name="Questions">One or two questions.</param>
public sealed record SagaFact(string Kind, string Text, IReadOnlyList<SagaQuestion> Questions);
