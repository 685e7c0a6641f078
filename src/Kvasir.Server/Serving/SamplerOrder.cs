using Kvasir.Inference.Sampling;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>
/// llama-server's <c>samplers</c>: which filters act. Those that are not named do not; those that are come in the one order that there is
/// here, which is llama.cpp's own, and another order of filters that act is refused.
/// </summary>
static class SamplerOrder
{
    const int Most = 32;

    /// <summary>The names, in that order, with other spellings, whether one acts, and the options without it.</summary>
    static readonly (string[] Names, Func<SamplingOptions, bool> Acts, Func<SamplingOptions, SamplingOptions> Without)[] s_order =
    [
        (["penalties"], options => options.RepeatPenalty != 1 || options.FrequencyPenalty != 0 || options.PresencePenalty != 0,
            options => options with { RepeatPenalty = 1, FrequencyPenalty = 0, PresencePenalty = 0 }),
        (["dry"], options => options.Dry is not null, options => options with { Dry = null }),
        (["top_n_sigma", "top-n-sigma"], options => options.TopNSigma > 0, options => options with { TopNSigma = 0 }),
        (["top_k", "top-k"], options => options.TopK > 0, options => options with { TopK = 0 }),
        (["typ_p", "typical_p", "typical", "typ-p", "typ"], options => options.TypicalP < 1, options => options with { TypicalP = 1 }),
        (["top_p", "top-p", "nucleus"], options => options.TopP < 1, options => options with { TopP = 1 }),
        (["min_p", "min-p"], options => options.MinP > 0, options => options with { MinP = 0 }),
        (["xtc"], options => options.Xtc is not null, options => options with { Xtc = null }),
        (["temperature", "temp"], options => options.Temperature is not 1, options => options with { Temperature = 1 }),
    ];

    static readonly string[] s_letters = ["e", "d", "s", "k", "y", "p", "m", "x", "t"]; // llama-server's short form, in the same order

    /// <summary>The names of all that there are, in their order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_order.Select(step => step.Names[0])];

    /// <summary>The options without what a list does not name; the same without a list.</summary>
    public static SamplingOptions Apply(Field samplers, SamplingOptions options)
    {
        if (samplers.IsAbsent || options.Mirostat is not null) // which stands in for all filters
            return options;
        int[] named = samplers.IsString
            ? [.. samplers.Text(Most)!.Select(letter => Array.IndexOf(s_letters, $"{letter}") is >= 0 and var i ? i : throw Unknown(samplers))]
            : [.. samplers.Items(Most).Select(Named)];
        if (named.Length == 0)
            return options;
        for (int i = 0; i < s_order.Length; i++)
            if (!named.Contains(i))
                options = s_order[i].Without(options);
        int[] acting = [.. named.Where(i => s_order[i].Acts(options))];
        return acting.Zip(acting.Skip(1)).All(pair => pair.First < pair.Second)
            ? options
            : throw samplers.Refused("samplers", $"their order is {string.Join(", ", Names)}");
    }

    static int Named(Field name) =>
        Array.FindIndex(s_order, step => step.Names.Contains(name.Text(Most))) is >= 0 and var i ? i : throw Unknown(name);

    static RequestException Unknown(Field name) => name.Wrong($"names of {string.Join(", ", Names)}");
}
