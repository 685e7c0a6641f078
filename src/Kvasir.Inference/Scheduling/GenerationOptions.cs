using System.Collections.Frozen;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;

namespace Kvasir.Inference.Scheduling;

/// <summary>How long a completion may become and what ends it.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to generate; null goes on to the end of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts that end the completion and are not part of it. They may span tokens.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>
    /// Least tokens to generate: before, no token that ends the turn and none of <see cref="StopTokens"/> is chosen, and no stop string
    /// is looked for. Where a <see cref="Grammar"/> leaves nothing but the end, it ends all the same.
    /// </summary>
    public int MinTokens { get; init; }

    /// <summary>Tokens that end the completion, besides the model's own, and are not among its tokens.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = FrozenSet<int>.Empty;

    /// <summary>Whether the stop string, or the text of the stop token, that ended the completion is part of its text.</summary>
    public bool KeepsStop { get; init; }

    /// <summary>Whether the completion's pieces tell how far its prompt is.</summary>
    public bool TellsProgress { get; init; }

    /// <summary>Told after every chunk of the prompt.</summary>
    public IProgress<PrefillProgress>? Progress { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>
    /// Whether a token that ends the turn is a token like any other: for measurements that want a fixed length. Where there is a
    /// <see cref="Grammar"/>, an end comes when nothing else can.
    /// </summary>
    public bool IgnoresEnds { get; init; }

    /// <summary>
    /// How many of the most likely tokens are told with each token, 0 for the chosen one alone; null tells nothing. At
    /// most <see cref="MostLogprobs"/>.
    /// </summary>
    public int? TopLogprobs { get; init; }

    /// <summary>
    /// Whether probabilities are told as the sampler drew from them, after penalties, filters and temperature, of the tokens that were
    /// left; else as the model gave them.
    /// </summary>
    public bool LogprobsAfterSampling { get; init; }

    /// <summary>
    /// Most time from the first token on; null for any. A completion that takes longer ends when it has come to the end of a line: for
    /// editors, to which half a line is of no use.
    /// </summary>
    public TimeSpan? MostTime { get; init; }

    /// <summary>
    /// Tells of each token of the prompt how likely it was, with so many of the most likely; null tells nothing. The whole prompt is
    /// computed
    /// for that, whatever the cache has of it, and leaves nothing in the cache.
    /// </summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Whether the final hidden state after the prompt is wanted, with or without a completion.</summary>
    public bool WantsHidden { get; init; }

    /// <summary>What the completion may be, behind its thoughts if it has some; null for anything.</summary>
    public OutputGrammar? Grammar { get; init; }

    /// <summary>What of a text of the grammar the prompt has already.</summary>
    public string GrammarBehind { get; init; } = "";

    /// <summary>The thoughts that it may begin with; null for a model that is not known to think.</summary>
    public ThoughtOptions? Thoughts { get; init; }

    /// <summary>
    /// Control tokens that are spelt out in the text and may stand in a text of the grammar: a chat template's own markers.
    /// </summary>
    public IReadOnlySet<int> Spelled { get; init; } = FrozenSet<int>.Empty;

    /// <summary>Which keys and values of the prompt are kept; null keeps all, and the completion is exact.</summary>
    public RetentionOptions? Retention { get; init; }

    /// <summary>How its tokens are guessed ahead; they are the same in any case.</summary>
    public SpeculativeOptions Speculative { get; init; } = new();

    /// <summary>Tokens that come in place of those that are chosen, for measurements.</summary>
    internal IReadOnlyList<int>? Replayed { get; init; }

    /// <summary>Whose turn it is, when many wait: the lesser number first, and of equals whoever came first.</summary>
    public int Priority { get; init; }

    /// <summary>The most that <see cref="TopLogprobs"/> may be.</summary>
    public const int MostLogprobs = 20;

    /// <summary>Throws when a value is out of its range.</summary>
    /// <exception cref="ArgumentException">The message names the value and its range.</exception>
    public void Validate()
    {
        Sampling.Validate();
        Speculative.Validate();
        if (MaxTokens < 0)
            throw new ArgumentException($"tokens to generate: {MaxTokens}, expected 0 or more");
        if (MinTokens < 0 || MinTokens > (MaxTokens ?? int.MaxValue))
            throw new ArgumentException($"least tokens to generate: {MinTokens}, expected 0 to {MaxTokens ?? int.MaxValue}, the most");
        if (Stops.Any(string.IsNullOrEmpty))
            throw new ArgumentException("stop: an empty text, expected at least one character");
        if (TopLogprobs is < 0 or > MostLogprobs)
            throw new ArgumentException($"top logprobs: {TopLogprobs}, expected 0 to {MostLogprobs}");
        if (PromptLogprobs is < 0 or > MostLogprobs)
            throw new ArgumentException($"prompt logprobs: {PromptLogprobs}, expected 0 to {MostLogprobs}");
        if (PromptLogprobs is not null && Retention is not null)
            throw new ArgumentException("prompt logprobs: with a retention policy, expected none: they are those of the exact prompt");
    }
}

/// <summary>How far a prompt is computed.</summary>
/// <param name="Done">Tokens computed or reused.</param>
/// <param name="Total">Tokens of the prompt.</param>
/// <param name="Reused">Those of the done ones that were found in the cache.</param>
public sealed record PrefillProgress(int Done, int Total, int Reused = 0)
{
    /// <summary>How likely each token of the prompt was, when that was asked for and all are computed; null before.</summary>
    public IReadOnlyList<TokenLogprobs?>? Logprobs { get; init; }
}
