using Kvasir.Inference.Sampling;

namespace Kvasir.Inference.Scheduling;

/// <summary>How long a completion may become and what ends it.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to generate; null goes on to the end of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts that end the completion and are not part of it. They may span tokens.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>Told after every chunk of the prompt.</summary>
    public IProgress<PrefillProgress>? Progress { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;
}

/// <summary>How far a prompt is computed.</summary>
/// <param name="Done">Tokens computed or reused.</param>
/// <param name="Total">Tokens of the prompt.</param>
public readonly record struct PrefillProgress(int Done, int Total);
