using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>
/// Reads how positions are rotated from a Hugging Face configuration: <c>rope_theta</c> and <c>rope_scaling</c>, or the newer
/// <c>rope_parameters</c>, which may differ by the kind of a layer.
/// </summary>
sealed class HfRopeReader
{
    const string Full = "full_attention", Sliding = "sliding_attention";
    const string Original = "original_max_position_embeddings";
    const int MostTokens = 1 << 30;

    readonly ConfigFields _fields;
    readonly HfFamily _family;
    readonly RopeSpec _full, _sliding;

    /// <param name="fields">The configuration.</param>
    /// <param name="family">Its family.</param>
    /// <param name="shape">The heads of every layer.</param>
    public HfRopeReader(ConfigFields fields, HfFamily family, AttentionSpec shape)
    {
        (_fields, _family) = (fields, family);
        _full = Read(Full, shape);
        _sliding = family.Family.StretchesOnlyFullLayers && fields.Object("rope_parameters")?.Has(Sliding) != true
            ? _full with { Scaling = null }
            : fields.Object("rope_parameters")?.Has(Sliding) == true ? Read(Sliding, shape)
            : family.Family.LocalRopeBase is not { } local ? _full
            : _full with { Base = fields.Number("rope_local_base_freq") ?? local, Scaling = null };
    }

    /// <summary>The rotation of a layer with a window, or without one.</summary>
    public RopeSpec Of(int? window) => window is not null ? _sliding : _full;

    /// <summary>How queries grow with their position (Llama 4, Ministral 3).</summary>
    public QueryTemperature? Temperature => _fields.Object("rope_parameters") is { } given && given.Number("llama_4_scaling_beta") is { } beta
        ? new QueryTemperature(beta, given.Count(Original, MostTokens))
        : null;

    RopeSpec Read(string kind, AttentionSpec shape)
    {
        ConfigFields? given = _fields.Object("rope_parameters");
        given = given?.Object(kind) ?? given;
        float theta = given?.Number("rope_theta") ?? _fields.Number("rope_theta") ?? _family.RopeBase;
        return new RopeSpec(theta, Dims(given, shape), _family.Rope) { Scaling = Scaling(given ?? _fields.Object("rope_scaling"), shape) };
    }

    int Dims(ConfigFields? given, AttentionSpec shape)
    {
        if (shape.IsLatent)
            return _fields.Count("qk_rope_head_dim");
        return IsProportional(given) ? shape.KeyDim : (int)(shape.KeyDim * Share(given)) / 2 * 2;
    }

    /// <summary>Whether all elements have their frequency, of which a share turns; else that share has frequencies among itself.</summary>
    static bool IsProportional(ConfigFields? given) => given?.Text("rope_type") == "proportional";

    float Share(ConfigFields? given)
    {
        float share = given?.Number("partial_rotary_factor") ?? _fields.Number("partial_rotary_factor") ?? _family.Rotates;
        return share is >= 0 and <= 1 ? share : throw _fields.Invalid("partial_rotary_factor", $"{share}", "a number from 0 up to 1");
    }

    RopeScaling? Scaling(ConfigFields? given, AttentionSpec shape)
    {
        if ((given?.Text("rope_type") ?? given?.Text("type")) is not { } type || type == "default")
            return null;
        int? original = given!.Optional(Original, MostTokens) ?? _fields.Optional(Original, MostTokens);
        bool isLong = type is "longrope" or "su"; // Phi-3 called it after its author first
        if (isLong || type == "yarn")
            original ??= _fields.Count("max_position_embeddings", MostTokens);
        return new RopeScaling(isLong ? "longrope" : type, Factor(given, original, isLong))
        {
            OriginalContext = original,
            LowFrequencyFactor = given.Number("low_freq_factor") ?? 1,
            HighFrequencyFactor = given.Number("high_freq_factor") ?? 4,
            AttentionFactor = given.Number("attention_factor"),
            FastTurns = given.Number("beta_fast") ?? 32,
            SlowTurns = given.Number("beta_slow") ?? 1,
            RoundsPairs = given.Flag("truncate", true),
            TurningShare = IsProportional(given) ? Share(given) : 1,
            LogWeights = given.Number("mscale") is { } of && given.Number("mscale_all_dim") is { } over ? (of, over) : null,
            ShortDivisors = isLong ? Divisors(given, "short_factor", Dims(given, shape) / 2) : [],
            LongDivisors = isLong ? Divisors(given, "long_factor", Dims(given, shape) / 2) : [],
        };
    }

    /// <summary>LongRoPE's is how much longer the context became, whatever the field says.</summary>
    float Factor(ConfigFields given, int? original, bool isLong) => isLong
        ? (float)_fields.Count("max_position_embeddings", MostTokens) / original!.Value
        : given.Number("factor") ?? 1;

    static ImmutableArray<float> Divisors(ConfigFields given, string name, int count) =>
        given.Numbers(name) is var divisors && divisors.Length == count
            ? divisors
            : throw given.Invalid(name, $"{divisors.Length} numbers", $"{count}: one for each pair that is rotated");
}
