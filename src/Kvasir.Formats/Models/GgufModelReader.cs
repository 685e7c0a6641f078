using System.Collections.Immutable;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;

namespace Kvasir.Formats.Models;

/// <summary>
/// Reads a <see cref="ModelSpec"/> from a GGUF file, which is not trusted. The keys are those of
/// <see href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"/>.
/// </summary>
sealed class GgufModelReader
{
    const int MostExperts = 1 << 16, MostWidth = 1 << 20, MostVocabulary = 1 << 24;

    const string RmsEpsilon = "attention.layer_norm_rms_epsilon", LayerEpsilon = "attention.layer_norm_epsilon";

    readonly IModelFile _file;
    readonly GgufFields _fields;
    readonly ModelFamily _family;
    readonly bool _isAssumed;

    public GgufModelReader(IModelFile file, bool assumeLlama)
    {
        (_file, _fields) = (file, new GgufFields(file));
        _isAssumed = !ModelFamily.Gguf.TryGetValue(_fields.Architecture, out ModelFamily? family);
        if (_isAssumed && !assumeLlama)
            throw file.Metadata.Invalid("general.architecture", Printable.Quote(_fields.Architecture),
                $"one of {string.Join(", ", ModelFamily.Gguf.Keys)}; "
                + "--assume-llama reads it as if every layer kept a key and a value per KV head");
        _family = family ?? ModelFamily.Llama;
    }

    public ModelSpec Read()
    {
        if (_isAssumed)
            RefuseTellingKeys();
        bool isWhole = _file.Metadata.GetInt32("split.count", 1) is 0 or 1;
        int width = _fields.Count("embedding_length", MostWidth);
        return new ModelSpec
        {
            Name = _file.Metadata.GetString("general.name", Path.GetFileNameWithoutExtension(_file.Path)),
            Source = _file.Path,
            Architecture = _fields.Architecture,
            Context = _fields.Count("context_length", int.MaxValue),
            Width = width,
            Vocabulary = Vocabulary(),
            Layers = new GgufLayerReader(_file, _fields, _family, _isAssumed).Read(),
            Norm = new NormSpec(_family.Norm, _fields.Number(_family.Norm == NormKind.Rms ? RmsEpsilon : LayerEpsilon)),
            EmbeddingScale = _fields.NonZero("embedding_scale") ?? (_family.ScalesEmbedding ? MathF.Sqrt(width) : null),
            ResidualScale = _fields.NonZero("residual_scale"),
            LogitScale = _family.LogitScaleOf(_fields.NonZero("logit_scale")),
            LogitSoftcap = _fields.NonZero("final_logit_softcapping"),
            IsTied = !_file.TryGetTensor("output.weight", out _),
            Beyond = _family.Beyond,
            Parameters = isWhole ? _file.Tensors.Sum(tensor => tensor.Elements) : null,
            ActiveParameters = isWhole && !_isAssumed ? _file.Tensors.Sum(Active) : null,
            Experts = isWhole && !_isAssumed ? Experts() : null,
            WeightBytes = isWhole ? _file.Tensors.Sum(tensor => tensor.ByteLength) : null,
            Notes = [.. Notes(isWhole)],
        };
    }

    void RefuseTellingKeys()
    {
        foreach (string key in _file.Metadata.Keys)
            if (key.StartsWith(_fields.Key(""), StringComparison.Ordinal) && TellingFields.IsTelling(key[_fields.Key("").Length..])
                && _file.Metadata[key] is not (false or 0 or 0u or 0L or 0UL or 0f))
                throw _file.Metadata.Invalid(key, _file.Metadata.TypeName(key),
                    "no such key: what it does to the cache of an unknown architecture is not known");
    }

    IEnumerable<string> Notes(bool isWhole)
    {
        if (_isAssumed)
            yield return $"the architecture {Printable.Quote(_fields.Architecture)} is unknown: read as if it kept what Llama keeps";
        else if (isWhole && _fields.Count("expert_count", 0, MostExperts, 0) is > 0 and int experts && !_file.Tensors.Any(IsOfExperts))
            yield return $"{experts} experts, but no tensor ..._exps of them: a token is taken to read all weights";
    }

    /// <summary>Elements of a tensor that one token is multiplied with.</summary>
    long Active(StoredTensor tensor)
    {
        if (tensor.Shape.Length < 2 || tensor.Name == "per_layer_token_embd.weight"
            || (tensor.Name == "token_embd.weight" && _file.TryGetTensor("output.weight", out _)))
            return 0;
        if (tensor.Name.EndsWith("_exps.bias", StringComparison.Ordinal))
            return 0;
        return tensor.Elements - (IsOfExperts(tensor) ? new ExpertSpec(Routing(), tensor.Elements).Idle : 0);
    }

    /// <summary>
    /// A tensor of all experts of a layer from which tokens choose. Those of shared experts are named otherwise (<c>_shexp</c>).
    /// </summary>
    static bool IsOfExperts(StoredTensor tensor) =>
        tensor.Shape.Length >= 2 && tensor.Name.EndsWith("_exps.weight", StringComparison.Ordinal);

    ExpertSpec? Experts() => _file.Tensors.Where(IsOfExperts).Sum(tensor => tensor.Elements) is > 0 and long elements
        ? new ExpertSpec(Routing(), elements)
        : null;

    ExpertRouting Routing()
    {
        int experts = _fields.Count("expert_count", MostExperts), used = _fields.Count("expert_used_count", MostExperts);
        return used <= experts
            ? new ExpertRouting(used, experts)
            : throw _fields.Invalid("expert_used_count", $"{used}", $"at most the {experts} experts");
    }

    int Vocabulary()
    {
        if (!_file.TryGetTensor("token_embd.weight", out StoredTensor? embedding))
            return _fields.Count("vocab_size", MostVocabulary);
        return embedding.Rows is >= 1 and <= MostVocabulary
            ? (int)embedding.Rows
            : throw ModelFormatException.At(_file.Path, "tensor token_embd.weight", $"{embedding.Rows} rows", $"1 to {MostVocabulary}");
    }
}
