using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>
/// Reads how positions are rotated from a Hugging Face configuration: <c>rope_theta</c> and <c>rope_scaling</c>, or the newer
/// <c>rope_parameters</c>, which may differ by the kind of a layer.
/// </summary>
sealed class HfRopeReader
{
    const string Full = "full_attention", Sliding = "sliding_attention";
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
        _sliding = fields.Object("rope_parameters")?.Has(Sliding) == true ? Read(Sliding, shape)
            : family.Family.LocalRopeBase is not { } local ? _full
            : _full with { Base = fields.Number("rope_local_base_freq") ?? local, Scaling = null };
    }

    /// <summary>The rotation of a layer with a window, or without one.</summary>
    public RopeSpec? Of(int? window) => window is not null ? _sliding : _family.Family.RotatesOnlyWindows ? null : _full;

    RopeSpec Read(string kind, AttentionSpec shape)
    {
        ConfigFields? given = _fields.Object("rope_parameters");
        given = given?.Object(kind) ?? given;
        float theta = given?.Number("rope_theta") ?? _fields.Number("rope_theta") ?? _family.RopeBase;
        return new RopeSpec(theta, Dims(given, shape), _family.Rope) { Scaling = Scaling(given ?? _fields.Object("rope_scaling")) };
    }

    int Dims(ConfigFields? given, AttentionSpec shape)
    {
        if (shape.IsLatent)
            return _fields.Count("qk_rope_head_dim");
        float share = given?.Number("partial_rotary_factor") ?? _fields.Number("partial_rotary_factor") ?? 1;
        return share <= 1
            ? (int)(shape.KeyDim * share) / 2 * 2
            : throw _fields.Invalid("partial_rotary_factor", $"{share}", "a number up to 1");
    }

    RopeScaling? Scaling(ConfigFields? given)
    {
        const string Original = "original_max_position_embeddings";
        if ((given?.Text("rope_type") ?? given?.Text("type")) is not { } type || type == "default")
            return null;
        return new RopeScaling(type, given!.Number("factor") ?? 1)
        {
            OriginalContext = given.Optional(Original, MostTokens) ?? _fields.Optional(Original, MostTokens),
            LowFrequencyFactor = given.Number("low_freq_factor") ?? 1,
            HighFrequencyFactor = given.Number("high_freq_factor") ?? 4,
        };
    }
}
