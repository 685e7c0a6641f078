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
}

/// <summary>How rotary frequencies are stretched.</summary>
/// <param name="Type">As the source names it: <c>linear</c>, <c>llama3</c>, <c>yarn</c>, …</param>
/// <param name="Factor">How much longer the context becomes; 1 where the source does not say.</param>
public sealed record RopeScaling(string Type, float Factor)
{
    /// <summary>Tokens of context before stretching; null where the source does not say.</summary>
    public int? OriginalContext { get; init; }

    /// <summary>For <c>llama3</c>: waves longer than the original context over this are slowed by the whole factor.</summary>
    public float LowFrequencyFactor { get; init; } = 1;

    /// <summary>For <c>llama3</c>: waves shorter than the original context over this are not slowed at all.</summary>
    public float HighFrequencyFactor { get; init; } = 4;

    /// <summary>Whether <see cref="Divisors"/> knows the type's formula.</summary>
    public bool HasFormula => Type == "linear" || (Type == "llama3" && OriginalContext is not null);

    /// <summary>What the frequency of each pair is divided by, [dims / 2].</summary>
    /// <exception cref="NotSupportedException">The formula of the type is not known here.</exception>
    public float[] Divisors(float frequencyBase, int dims)
    {
        float[] divisors = new float[dims / 2];
        for (int i = 0; i < divisors.Length; i++)
            divisors[i] = Type switch
            {
                _ when !HasFormula => throw new NotSupportedException($"rope scaling {Printable.Quote(Type)}: expected linear or llama3"),
                "linear" => Factor,
                _ => Llama3(2 * Math.PI * Math.Pow(frequencyBase, 2.0 * i / dims)),
            };
        return divisors;
    }

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
