using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>How pairs of a head's elements are rotated together.</summary>
public enum RopeStyle
{
    /// <summary>Elements <c>2i</c> and <c>2i + 1</c>, as GGUF files of the llama family expect.</summary>
    Adjacent,

    /// <summary>Elements <c>i</c> and <c>i + dims / 2</c>, as in GPT-NeoX and Qwen.</summary>
    Halves,
}

/// <summary>
/// Rotary position embedding: pair <c>i</c> at position <c>p</c> turns by <c>p · base^(-2i / dims) / divisor[i]</c>. Su et al., 2021,
/// https://arxiv.org/abs/2104.09864.
/// </summary>
/// <param name="Base">Base of the frequencies.</param>
/// <param name="Dims">Elements of a head that are rotated, an even number; those beyond stay as they are.</param>
/// <param name="Style">Which elements are rotated together, as the weights at hand expect it.</param>
public sealed record RopeSpec(float Base, int Dims, RopeStyle Style)
{
    /// <summary>How the frequencies are stretched for a longer context; null where they are not.</summary>
    public RopeScaling? Scaling { get; init; }

    /// <summary>Whether the weights hold a divisor for each frequency, as Llama 3's GGUF files do (<c>rope_freqs.weight</c>).</summary>
    public bool HasDivisors { get; init; }

    /// <summary>What rotated elements are multiplied with, in queries and keys alike.</summary>
    public float Magnitude => Scaling?.Magnitude ?? 1;
}

/// <summary>How rotary frequencies are stretched.</summary>
/// <param name="Type">As the source names it: <c>linear</c>, <c>proportional</c>, <c>llama3</c>, <c>yarn</c>, <c>longrope</c>, …</param>
/// <param name="Factor">How much longer the context becomes; 1 where the source does not say.</param>
public sealed record RopeScaling(string Type, float Factor)
{
    /// <summary>Tokens of context before stretching; null where the source does not say.</summary>
    public int? OriginalContext { get; init; }

    /// <summary>
    /// For <c>yarn</c> and <c>longrope</c>: what rotated elements are multiplied with; null for what the type's formula says.
    /// </summary>
    public float? AttentionFactor { get; init; }

    /// <summary>For <c>yarn</c>: pairs that turn more often than this within the original context are not slowed.</summary>
    public float FastTurns { get; init; } = 32;

    /// <summary>For <c>yarn</c>: pairs that turn less often than this within the original context are slowed by the whole factor.</summary>
    public float SlowTurns { get; init; } = 1;

    /// <summary>For <c>yarn</c>: whether the pairs between which the ramp lies are rounded outwards to whole ones.</summary>
    public bool RoundsPairs { get; init; } = true;

    /// <summary>For <c>yarn</c>: weights of the logarithm in the magnitude of queries with keys, and in what the scores are divided by
    /// again (<c>mscale</c> and <c>mscale_all_dim</c>); null where it is the plain formula's.</summary>
    public (float Of, float Over)? LogWeights { get; init; }

    /// <summary>
    /// For <c>longrope</c>: divisors of frequencies in contexts up to the original one; empty where the weights hold them.
    /// </summary>
    public ImmutableArray<float> ShortDivisors { get; init; } = [];

    /// <summary>For <c>longrope</c>: divisors of frequencies in longer contexts; empty where the weights hold them.</summary>
    public ImmutableArray<float> LongDivisors { get; init; } = [];

    /// <summary>Whether divisors depend on the context that is served: those of short ones, and those of long ones.</summary>
    public bool DependsOnContext => Type == "longrope";

    /// <summary>
    /// For <c>proportional</c>: the share of pairs that turn, the first ones, at the frequencies that they have among all; those behind
    /// them stay as they are.
    /// </summary>
    public float TurningShare { get; init; } = 1;

    /// <summary>For <c>llama3</c>: waves longer than the original context over this are slowed by the whole factor.</summary>
    public float LowFrequencyFactor { get; init; } = 1;

    /// <summary>For <c>llama3</c>: waves shorter than the original context over this are not slowed at all.</summary>
    public float HighFrequencyFactor { get; init; } = 4;

    /// <summary>Whether GGUF files have it as a tensor of divisors (<c>rope_freqs.weight</c>), and no key says so.</summary>
    public bool IsTensorInGguf => Type is "llama3" or "proportional";

    /// <summary>Whether <see cref="Divisors"/> and <see cref="Magnitude"/> know the type's formula.</summary>
    public bool HasFormula => Type is "linear" or "proportional" || (Type is "llama3" or "yarn" or "longrope" && OriginalContext is not null);

    /// <summary>What rotated elements are multiplied with.</summary>
    public float Magnitude => AttentionFactor ?? Type switch
    {
        "yarn" when LogWeights is { } weights => (float)(YarnMagnitude(weights.Of) / YarnMagnitude(weights.Over)),
        "yarn" => (float)YarnMagnitude(1),
        "longrope" => Factor <= 1 ? 1 : (float)Math.Sqrt(1 + Math.Log(Factor) / Math.Log(OriginalContext ?? 2)),
        _ => 1,
    };

    double YarnMagnitude(double weight) => Factor <= 1 ? 1 : 0.1 * weight * Math.Log(Factor) + 1;

    /// <summary>What the frequency of each pair is divided by, [dims / 2].</summary>
    /// <param name="frequencyBase">Base of the frequencies.</param>
    /// <param name="dims">Elements that are rotated.</param>
    /// <param name="isLong">Whether more than the original context is served, where that makes a difference.</param>
    /// <exception cref="NotSupportedException">The formula of the type is not known here.</exception>
    public float[] Divisors(float frequencyBase, int dims, bool isLong = false)
    {
        float[] divisors = new float[dims / 2];
        for (int i = 0; i < divisors.Length; i++)
            divisors[i] = Type switch
            {
                _ when !HasFormula =>
                    throw new NotSupportedException($"rope scaling {Printable.Quote(Type)}: expected linear, proportional, llama3, yarn or longrope"),
                "linear" => Factor,
                "proportional" => i < (int)(TurningShare * dims / 2) ? Factor : float.PositiveInfinity,
                "yarn" => Yarn(i, frequencyBase, dims),
                "longrope" => (isLong ? LongDivisors : ShortDivisors) is { IsEmpty: false } given ? given[i] : 1,
                _ => Llama3(2 * Math.PI * Math.Pow(frequencyBase, 2.0 * i / dims)),
            };
        return divisors;
    }

    /// <summary>
    /// Pairs that turn often within the original context keep their frequency, those that hardly turn are slowed by the factor, and between
    /// the two lies a ramp over the pairs. Peng et al., 2023, https://arxiv.org/abs/2309.00071.
    /// </summary>
    float Yarn(int pair, double frequencyBase, int dims)
    {
        double fast = PairOf(FastTurns, frequencyBase, dims), slow = PairOf(SlowTurns, frequencyBase, dims);
        if (RoundsPairs)
            (fast, slow) = (Math.Floor(fast), Math.Ceiling(slow));
        (fast, slow) = (Math.Max(fast, 0), Math.Min(slow, dims - 1));
        double slowed = Math.Clamp((pair - fast) / Math.Max(slow - fast, 0.001), 0, 1);
        return (float)(1 / (slowed / Factor + 1 - slowed));
    }

    /// <summary>The pair that turns so often within the original context, a fraction.</summary>
    double PairOf(double turns, double frequencyBase, int dims) =>
        dims * Math.Log(OriginalContext!.Value / (turns * 2 * Math.PI)) / (2 * Math.Log(frequencyBase));

    /// <summary>
    /// Long waves are slowed by the factor, short ones not at all, and between the two lies a ramp. Grattafiori et al., 2024,
    /// https://arxiv.org/abs/2407.21783.
    /// </summary>
    float Llama3(double wavelength)
    {
        double turns = OriginalContext!.Value / wavelength, low = LowFrequencyFactor;
        double smooth = Math.Clamp((turns - low) / (HighFrequencyFactor - low), 0, 1);
        return (float)(1 / ((1 - smooth) / Factor + smooth));
    }
}
