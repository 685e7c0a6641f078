using System.Diagnostics.CodeAnalysis;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Safetensors;

namespace Kvasir.Formats.Hub;

/// <summary>
/// A model as Hugging Face's hub has it, a folder with <c>config.json</c>, safetensors and <c>tokenizer.json</c>, shown as the GGUF file
/// that would be converted from it: the same names, values and order of rows, so that both give the same bits. Nothing in it is trusted.
/// </summary>
public sealed class HubFolder : IModelFile
{
    readonly SafetensorsShards _shards;
    readonly Dictionary<string, HubTensor> _byName = new(StringComparer.Ordinal);

    HubFolder(string path, SafetensorsShards shards)
    {
        (Path, _shards) = (path, shards);
        string config = System.IO.Path.Combine(path, HubConfig.FileName);
        ModelSpec spec = ModelSpec.FromConfig(config);
        HubFamily family = HubFamily.Find(spec.Architecture)
            ?? throw ModelFormatException.At(config, "model_type", Printable.Quote(spec.Architecture), $"one of {HubFamily.Known}");
        AddTensors(spec, family, config);
        Tensors = [.. _byName.Values.Select(tensor => tensor.Shown)];
        Metadata = new HubConfig(path, spec, family.Architecture).Metadata();
        HubConfig.CheckReadAlike(config, spec, ModelSpec.From(this));
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public GgufMetadata Metadata { get; }

    /// <inheritdoc/>
    public long Length => _shards.Length;

    /// <inheritdoc/>
    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ModelFormatException">
    /// Something is missing, damaged, contradicts something else or is of an unknown kind; one line names the file and the field.
    /// </exception>
    public static HubFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafetensorsShards shards = SafetensorsShards.Open(path);
        try
        {
            return new HubFolder(path, shards);
        }
        catch (Exception e)
        {
            shards.Dispose();
            // what the JSON reader throws when a text is asked for that is no Unicode
            if (e is InvalidOperationException)
                throw new ModelFormatException($"{Printable.Line(path, 4096)}: JSON: {Printable.Line(e.Message)}, expected Unicode", e);
            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        tensor = _byName.TryGetValue(name, out HubTensor? found) ? found.Shown : null;
        return tensor is not null;
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Row(StoredTensor tensor, long row)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        HubTensor found = _byName[tensor.Name];
        return found.Row(found.FirstRowOf(tensor) + row);
    }

    /// <inheritdoc/>
    public void Read(StoredTensor tensor, long firstRow, Span<byte> rows)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        HubTensor found = _byName[tensor.Name];
        found.Read(found.FirstRowOf(tensor) + firstRow, rows);
    }

    /// <inheritdoc/>
    public void Forget(StoredTensor tensor, long firstRow, long rows)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        HubTensor found = _byName[tensor.Name];
        found.Forget(found.FirstRowOf(tensor) + firstRow, rows);
    }

    /// <inheritdoc/>
    public void Dispose() => _shards.Dispose();

    void AddTensors(ModelSpec spec, HubFamily family, string config)
    {
        const string Output = "output.weight";
        int paired = PairedRows(spec, family, config);
        var experts = new HubExperts(Path, spec);
        foreach ((SafetensorsFile file, StoredTensor stored) in _shards.Tensors)
            if (!experts.TryTake(file, stored) && family.NameOf(stored.Name) is { } name && !(name == Output && spec.IsTied))
                Add(Shown(name, file, stored, paired, family), file.Path, stored.Name);
        foreach ((HubTensor tensor, HubPart first) in experts.Shown())
            Add(tensor, first.File.Path, first.Stored.Name);
        if (!spec.IsTied && !_byName.ContainsKey(Output))
            throw ModelFormatException.At(Path, "tensor 'lm_head.weight'", "it is missing", "it, since tie_word_embeddings is not true");
        RopeSpec[] ropes = [.. spec.Attention.Select(layer => layer.Rope).OfType<RopeSpec>()];
        if (Array.Find(ropes, rope => rope.Scaling is { IsTensorInGguf: true }) is { } rope)
            Add(new HubVector("rope_freqs.weight", rope.Scaling is { HasFormula: true } scaling
                ? scaling.Divisors(rope.Base, rope.Dims)
                : throw ModelFormatException.At(config, "rope_scaling.original_max_position_embeddings", "the field is missing", "tokens")),
                config, "rope_scaling");
        if (Array.Find(ropes, rope => rope.Scaling is { DependsOnContext: true })?.Scaling is not { } longRope)
            return;
        Add(new HubVector(LongRope.Long, [.. longRope.LongDivisors]), config, "rope_scaling");
        Add(new HubVector(LongRope.Short, [.. longRope.ShortDivisors]), config, "rope_scaling");
    }

    /// <summary>
    /// Rows of a head whose pairs lie side by side in GGUF files, and half a head apart here; 0 where both have the same order.
    /// </summary>
    static int PairedRows(ModelSpec spec, HubFamily family, string config)
    {
        AttentionSpec first = spec.Attention.First();
        RopeSpec? rope = spec.Attention.FirstOrDefault(layer => layer.Rope is not null)?.Rope;
        if (rope is null || rope.Style == ModelFamily.Gguf[family.Architecture].Rope)
            return 0;
        return rope.Dims == first.KeyDim
            ? first.KeyDim
            : throw ModelFormatException.At(config, "partial_rotary_factor", $"{rope.Dims} of {first.KeyDim} elements", "all of them");
    }

    void Add(HubTensor tensor, string file, string stored)
    {
        if (!_byName.TryAdd(tensor.Shown.Name, tensor))
            throw ModelFormatException.At(file, $"tensor {Printable.Quote(stored)}", "a second tensor of the same use", "one");
    }

    static HubTensor Shown(string name, SafetensorsFile file, StoredTensor stored, int paired, HubFamily family)
    {
        if (stored.Type == TensorTypes.Bytes)
            throw ModelFormatException.At(file.Path, $"tensor {Printable.Quote(stored.Name)}.dtype", "U8", "BF16, F16 or F32");
        int headRows = IsRotated(name) ? paired : 0;
        if (headRows > 0 && stored.Shape[^1] % headRows != 0)
            throw ModelFormatException.At(
                file.Path, $"tensor {Printable.Quote(stored.Name)}", $"{stored.Shape[^1]} rows", $"heads of {headRows}");
        if (stored.Shape.Length > 1)
            return new HubMatrix(stored with { Name = name }, file, stored, headRows);
        bool lacksOne = family.NormsLackOne && name.EndsWith("_norm.weight", StringComparison.Ordinal);
        return HubVector.From(name, file, stored, headRows, lacksOne ? 1 : 0);
    }

    static bool IsRotated(string name) =>
        name.Contains(".attn_q.", StringComparison.Ordinal) || name.Contains(".attn_k.", StringComparison.Ordinal);
}
