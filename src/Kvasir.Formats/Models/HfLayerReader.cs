using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>Reads the layers of a model from a Hugging Face configuration.</summary>
sealed class HfLayerReader(ConfigFields fields, HfFamily family, HfExperts experts, string type, bool isAssumed, int width, int count)
{
    const int MostLayers = 4096, MostHeads = 1 << 16, MostTokens = 1 << 30;

    public ImmutableArray<LayerSpec> Read()
    {
        AttentionSpec shape = family.IsLatent ? Latent() : Heads();
        RefuseForeignFields();
        ImmutableArray<int?> windows = Windows();
        int shared = fields.Optional("num_kv_shared_layers", count - 1, least: 0) ?? 0;
        ImmutableArray<int> producers = LayerSharing.AtTheEnd(windows, shared, (layer, reason) => fields.Invalid(
            "num_kv_shared_layers", $"{shared}, so that layer {layer} {reason}", "a layer of its kind before the shared ones"));
        var ropes = new HfRopeReader(fields, family, shape);
        shape = shape with
        {
            HasQkNorm = family.Family.HasQkNorm || fields.Flag("use_qk_norm"),
            NormsHeadsAsOne = family.Family.NormsHeadsAsOne,
            HasSinks = family.Family.HasSinks,
            Temperature = ropes.Temperature,
            Scale = Scale(shape),
            Softcap = fields.Number("attn_logit_softcapping", family.Softcap),
        };
        ImmutableArray<bool> rotates = Rotates(windows);
        return [.. windows.Select((window, layer) => new LayerSpec
        {
            Attention = shape with { Window = window, Producer = producers[layer], Rope = rotates[layer] ? ropes.Of(window) : null },
            FeedForward = family.IsCounted ? Network(layer) : null,
            Norms = Norms,
            IsParallel = IsParallel,
        })];
    }

    /// <summary>Which layers rotate: a list of 1 and 0, or every so many one that does not.</summary>
    ImmutableArray<bool> Rotates(ImmutableArray<int?> windows)
    {
        if (family.Family.RotatesAllButEvery == 0)
            return [.. windows.Select((window, layer) => family.Family.Rotates(layer, window is not null))];
        if (fields.LayerNumbers("no_rope_layers") is { IsEmpty: false } listed)
            return listed.Length == count
                ? [.. listed.Select(rotates => rotates != 0)]
                : throw fields.Invalid("no_rope_layers", $"{listed.Length} layers", $"the {count} of num_hidden_layers");
        int every = fields.Optional("no_rope_layer_interval", MostLayers) ?? family.Family.RotatesAllButEvery;
        return [.. windows.Select((_, layer) => (layer + 1) % every != 0)];
    }

    bool IsParallel => family.Family.IsParallel && (!family.IsFalcon || fields.Flag("parallel_attn", true));

    /// <summary>Falcon's large models normalise for each sublayer.</summary>
    NormPlaces Norms => family.IsFalcon && (fields.Flag("new_decoder_architecture") || !IsParallel)
        ? NormPlaces.BeforeSublayers
        : family.Family.Norms;

    AttentionSpec Heads()
    {
        int heads = fields.Count("num_attention_heads", MostHeads), kvHeads = KvHeads(heads);
        if (heads % kvHeads != 0)
            throw fields.Invalid("num_key_value_heads", $"{kvHeads}", $"a divisor of the {heads} query heads");
        int dim = fields.Optional("head_dim") ?? (width % heads == 0
            ? width / heads
            : throw fields.Invalid("num_attention_heads", $"{heads}", $"a divisor of hidden_size {width}, since there is no head_dim"));
        return new AttentionSpec(heads, kvHeads, dim, dim, null, 0);
    }

    int KvHeads(int heads)
    {
        if (family.IsFalcon && !fields.Flag("new_decoder_architecture"))
            return fields.Flag("multi_query", true) ? 1 : heads;
        string name = family.IsFalcon ? "num_kv_heads" : "num_key_value_heads";
        return family.KvHeadsMayBeMissing && !fields.Has(name) ? heads : fields.Count(name, MostHeads);
    }

    AttentionSpec Latent() =>
        new(fields.Count("num_attention_heads", MostHeads), 1, fields.Count("kv_lora_rank") + fields.Count("qk_rope_head_dim"), 0, null, 0);

    /// <summary>A field that changes what is kept, in a configuration whose architecture is not known to have it.</summary>
    void RefuseForeignFields()
    {
        foreach ((string name, string seen) in isAssumed ? fields.Said() : [])
            if (TellingFields.IsTelling(name))
                throw fields.Invalid(name, seen, "none: what it does to the cache of an unknown architecture is not known");
        if (!family.IsLatent && fields.Has("kv_lora_rank"))
            throw fields.Invalid("kv_lora_rank", "a latent cache", $"none in the architecture {Printable.Quote(type)}");
        if (family.Defaults.ContainsKey("num_kv_shared_layers") || fields.Optional("num_kv_shared_layers", least: 0) is null or 0)
            return;
        throw fields.Invalid("num_kv_shared_layers", "layers that share a cache", $"none in the architecture {Printable.Quote(type)}");
    }

    ImmutableArray<int?> Windows()
    {
        if (fields.Texts("layer_types") is { } types)
            return FromTypes(types);
        if (isAssumed && fields.Has("sliding_window"))
            throw fields.Invalid(
                "sliding_window", "a sliding window", "none, or layer_types that say which layers it is for: the architecture is unknown");
        int? window = family.Windows == WindowRule.None || !UsesWindow() ? null : fields.Optional("sliding_window", MostTokens);
        if (window is null)
            return [.. Enumerable.Repeat<int?>(null, count)];
        int from = family.Windows == WindowRule.FromLayer ? fields.Count("max_window_layers", MostLayers, least: 0) : 0;
        int every = family.Windows == WindowRule.AllButEvery
            ? fields.Optional("sliding_window_pattern", MostLayers) ?? family.Family.FullEvery
            : int.MaxValue;
        return [.. Enumerable.Range(0, count).Select(layer => layer >= from && (layer + 1) % every != 0 ? window : null)];
    }

    bool UsesWindow() => family.Windows != WindowRule.FromLayer || fields.Flag("use_sliding_window");

    ImmutableArray<int?> FromTypes(ImmutableArray<string> types)
    {
        if (types.Length != count)
            throw fields.Invalid("layer_types", $"{types.Length} layers", $"the {count} of num_hidden_layers");
        return [.. types.Select(Window)];
    }

    int? Window(string kind) => kind switch
    {
        "full_attention" => null,
        "sliding_attention" => fields.Optional("sliding_window", MostTokens)
            ?? throw fields.Invalid("sliding_window", "no window", "one, since layer_types has sliding layers"),
        _ => throw fields.Invalid("layer_types", Printable.Quote(kind), "full_attention or sliding_attention"),
    };

    float? Scale(AttentionSpec shape) => fields.Number("attention_multiplier") is { } multiplier ? multiplier
        : fields.Number("query_pre_attn_scalar") is { } scalar
        ? scalar == shape.KeyDim ? null : 1 / MathF.Sqrt(scalar)
        : family.Family.ScaleOf(count, width, shape.Heads);

    FeedForwardSpec Network(int layer)
    {
        int of = experts.In(layer);
        int wide = family.IsFalcon ? fields.Optional("ffn_hidden_size") ?? 4 * width
            : (of > 0 ? fields.Optional("moe_intermediate_size") : null) ?? fields.Count("intermediate_size");
        string activation = fields.Text(family.ActivationField) ?? family.Family.Activation;
        return new FeedForwardSpec(wide, activation)
        {
            IsGated = family.Family.IsGated,
            Experts = of,
            Chosen = of > 0 ? experts.Routing().Chosen : 0,
            WeighsAmongAll = of > 0 && !fields.Flag("norm_topk_prob", family.WeighsChosen),
            Limit = family.Family.Limit is { } limit ? fields.Number("swiglu_limit", limit) : null,
        };
    }
}
