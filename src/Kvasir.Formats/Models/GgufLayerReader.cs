using System.Collections.Immutable;
using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Models;

/// <summary>Reads the layers of a model from a GGUF file.</summary>
sealed class GgufLayerReader(IModelFile file, GgufFields fields, ModelFamily family, bool isAssumed)
{
    const int MostLayers = 4096, MostHeads = 1 << 16, MostExperts = 1 << 16, MostWidth = 1 << 20;

    readonly int _count = fields.Count("block_count", MostLayers), _width = fields.Count("embedding_length", MostWidth);

    public ImmutableArray<LayerSpec> Read()
    {
        ImmutableArray<int> heads = fields.PerLayer("attention.head_count", _count, MostHeads), kvHeads = KvHeads(heads);
        ImmutableArray<int?> windows = Windows();
        ImmutableArray<int> producers = Producers(windows);
        AttentionSpec?[] attention = [.. Enumerable.Range(0, _count).Select(layer => kvHeads[layer] == 0
            ? null
            : Attention(layer, heads[layer], kvHeads[layer], windows[layer]) with { Producer = producers[layer] })];
        for (int layer = 0; layer < _count; layer++)
            if (attention[layer] is { } reader && KeptShape(reader) != KeptShape(attention[reader.Producer]))
                throw fields.Invalid($"attention.kv_producers[{layer}]", $"{reader.Producer}", "an earlier layer with the same KV heads");
        ImmutableArray<FeedForwardSpec?> networks = Networks();
        return [.. attention.Select((each, layer) => new LayerSpec
        {
            Attention = each,
            StateElements = each is null ? Convolution() : 0,
            FeedForward = networks[layer],
            Norms = family.Norms,
            IsParallel = family.IsParallel,
        })];
    }

    static (int, int, int)? KeptShape(AttentionSpec? layer) => layer is null ? null : (layer.KvHeads, layer.KeyDim, layer.ValueDim);

    /// <summary>0 in a layer without attention, in architectures that have such.</summary>
    ImmutableArray<int> KvHeads(ImmutableArray<int> heads) => fields.Has("attention.head_count_kv")
        ? fields.PerLayer("attention.head_count_kv", _count, MostHeads, least: family.HasConvolutions ? 0 : 1)
        : heads;

    AttentionSpec Attention(int layer, int heads, int kvHeads, int? window)
    {
        AttentionSpec attention = Shape(heads, kvHeads) with
        {
            Window = window,
            HasQkNorm = family.HasQkNorm || file.TryGetTensor($"blk.{layer}.attn_q_norm.weight", out _),
            NormsHeadsAsOne = family.NormsHeadsAsOne,
            HasSinks = family.HasSinks,
            Temperature = Temperature(),
            Scale = fields.NonZero("attention.scale") ?? family.ScaleOf(_count, _width, heads),
            Softcap = fields.NonZero("attn_logit_softcapping"),
        };
        bool rotates = family.Rotates(layer, window is not null) && !(family.FinetunedMeansRotated && IsNotFinetuned);
        return attention with { Rope = rotates ? Rope(attention.KeyDim, window is not null) : null };
    }

    bool IsNotFinetuned => fields.Has("rope.scaling.finetuned") && fields.Metadata[fields.Key("rope.scaling.finetuned")] is false;

    QueryTemperature? Temperature() => fields.NonZero("attention.temperature_scale") is { } scale
        ? new QueryTemperature(scale, fields.Count(OriginalContext, int.MaxValue))
        : null;

    AttentionSpec Shape(int heads, int kvHeads)
    {
        if (fields.Has("attention.kv_lora_rank"))
        {
            int latent = fields.Count("attention.kv_lora_rank", MostWidth) + fields.Count("rope.dimension_count", MostWidth);
            return new AttentionSpec(heads, 1, latent, 0, null, 0);
        }
        if (heads % kvHeads != 0)
            throw fields.Invalid("attention.head_count_kv", $"{kvHeads}", $"a divisor of the {heads} query heads");
        int key = fields.Has("attention.key_length") ? fields.Count("attention.key_length", MostWidth)
            : _width % heads == 0 ? _width / heads
            : throw fields.Invalid(
                "attention.head_count", $"{heads}", $"a divisor of embedding_length {_width}, since there is no attention.key_length");
        return new AttentionSpec(heads, kvHeads, key, fields.Count("attention.value_length", key, MostWidth, 1), null, 0);
    }

    const string OriginalContext = "rope.scaling.original_context_length";

    /// <summary>Sliding layers may have a base of their own; they are not stretched then.</summary>
    RopeSpec Rope(int keyDim, bool slides)
    {
        float? local = slides ? fields.Number("rope.freq_base_swa") ?? family.LocalRopeBase : null;
        int dims = fields.Count("rope.dimension_count", keyDim, MostWidth, 1);
        if (dims > keyDim || dims % 2 != 0)
            throw fields.Invalid("rope.dimension_count", $"{dims}", $"an even number up to the head's {keyDim}");
        return new RopeSpec(local ?? fields.Number("rope.freq_base") ?? 10_000, dims, family.Rope)
        {
            Scaling = local is not null || (slides && family.StretchesOnlyFullLayers) ? null : _scaling ??= Scaling(dims),
            HasDivisors = file.TryGetTensor("rope_freqs.weight", out _),
        };
    }

    RopeScaling? _scaling; // one for all layers

    RopeScaling? Scaling(int dims)
    {
        string type = fields.Metadata.GetString(fields.Key("rope.scaling.type"), "none");
        if (type == "none" && file.TryGetTensor(LongRope.Long, out _))
            type = "longrope"; // Phi-3's files name no type
        if (type == "none" && fields.Number("rope.scaling.attn_factor") is null or 1)
            return null;
        bool isStretched = type is "yarn" or "longrope";
        var scaling = new RopeScaling(type == "none" ? "linear" : type, fields.Number("rope.scaling.factor") ?? 1)
        {
            OriginalContext = fields.Has(OriginalContext) ? fields.Count(OriginalContext, int.MaxValue)
                : isStretched ? fields.Count("context_length", int.MaxValue) : null,
            FastTurns = fields.Number("rope.scaling.yarn_beta_fast") ?? 32,
            SlowTurns = fields.Number("rope.scaling.yarn_beta_slow") ?? 1,
            LogWeights = fields.NonZero("rope.scaling.yarn_log_multiplier") is { } over ? (1, over) : null,
            AttentionFactor = fields.Number("rope.scaling.yarn_attn_factor"),
            RoundsPairs = fields.Flag(GgufSpecKeys.RoundsPairs, true),
        };
        if (type == "longrope")
            scaling = LongRope.Read(file, scaling, dims);
        float magnitude = type == "longrope" ? scaling.AttentionFactor ?? 1 : scaling.Magnitude;
        return fields.Number("rope.scaling.attn_factor") is { } more ? scaling with { AttentionFactor = magnitude * more } : scaling;
    }

    ImmutableArray<int?> Windows()
    {
        const string Name = "attention.sliding_window";
        int window = fields.Metadata.GetInt32(fields.Key(Name), 0);
        if (window < 0)
            throw fields.Invalid(Name, $"{window}", "0 or more");
        if (window == 0)
            return [.. Enumerable.Repeat<int?>(null, _count)];
        if (isAssumed)
            throw fields.Invalid(Name, $"{window}", "no window: which layers of an unknown architecture slide is not known");
        Func<int, bool> slides = SlidingLayers();
        return [.. Enumerable.Range(0, _count).Select(layer => slides(layer) ? window : (int?)null)];
    }

    /// <summary>From the file, as one bool per layer or as a period, or else from the architecture: Mistral's all slide.</summary>
    Func<int, bool> SlidingLayers()
    {
        const string Name = "attention.sliding_window_pattern";
        if (fields.Has(Name) && fields.Metadata[fields.Key(Name)] is ImmutableArray<bool> listed)
            return listed.Length == _count
                ? layer => listed[layer]
                : throw fields.Invalid(Name, $"{listed.Length} layers", $"the {_count} of block_count");
        int every = fields.Count(Name, family.FullEvery, MostLayers, 0);
        return layer => every == 0 || (layer + 1) % every != 0;
    }

    ImmutableArray<int> Producers(ImmutableArray<int?> windows)
    {
        const string Name = "attention.shared_kv_layers";
        if (LayerSharing.Listed(fields.Metadata, fields.Key("attention.kv_producers"), windows) is { } listed)
            return listed;
        int shared = family == ModelFamily.Gemma3n
            ? fields.Count(Name, _count - 1, least: 0)
            : fields.Metadata.GetInt32(fields.Key(Name), 0);
        if (shared < 0 || shared >= _count)
            throw fields.Invalid(Name, $"{shared}", $"fewer than the {_count} layers");
        return LayerSharing.AtTheEnd(windows, shared, (layer, reason) =>
            fields.Invalid(Name, $"{shared}, so that layer {layer} {reason}", "a layer of its kind before the shared ones"));
    }

    /// <summary>The last inputs of a short convolution, without the current one.</summary>
    long Convolution() => (long)_width * (fields.Count("shortconv.l_cache", MostWidth) - 1);

    ImmutableArray<FeedForwardSpec?> Networks()
    {
        int experts = fields.Count("expert_count", 0, MostExperts, 0), dense = fields.Count("leading_dense_block_count", 0, MostLayers, 0);
        bool hasWidths = fields.Has("feed_forward_length");
        ImmutableArray<int> widths = hasWidths ? fields.PerLayer("feed_forward_length", _count, MostWidth, least: 0) : [.. new int[_count]];
        return [.. widths.Select((width, layer) => layer < dense || experts == 0
            ? Network(width, 0)
            : Network(fields.Count("expert_feed_forward_length", width, MostWidth, 0), experts))];
    }

    FeedForwardSpec? Network(int width, int experts) => width == 0 ? null : new(width, family.Activation)
    {
        IsGated = family.IsGated,
        Experts = experts,
        Chosen = experts == 0 ? 0 : Chosen(experts),
        WeighsAmongAll = experts > 0 && !fields.Flag(GgufSpecKeys.WeighsChosen, !family.WeighsAmongAll),
        Limit = family.Limit,
    };

    /// <summary>Experts that a token chooses; 0 where the file does not say.</summary>
    int Chosen(int experts)
    {
        const string Name = "expert_used_count";
        int chosen = fields.Count(Name, 0, MostExperts, 1);
        return chosen <= experts ? chosen : throw fields.Invalid(Name, $"{chosen}", $"at most the {experts} experts");
    }
}
