using Kvasir.Inference.Sampling;

namespace Kvasir.Inference.Scheduling;

/// <summary>How long a completion may become and what ends it.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to generate; null goes on to the end of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts that end the completion and are not part of it. They may span tokens.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;
}
