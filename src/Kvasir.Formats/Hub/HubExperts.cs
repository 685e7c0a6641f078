using System.Globalization;
using Kvasir.Formats.Models;
using Kvasir.Formats.Safetensors;

namespace Kvasir.Formats.Hub;

/// <summary>
/// The experts of a folder, shown as GGUF files have them: one tensor for the gates of all experts of a layer, one for what goes up, and
/// one for what goes down. Qwen and Mixtral have a tensor for each matrix of each expert; gpt-oss has two for all of them, in MXFP4.
/// </summary>
/// <param name="folder">The folder.</param>
/// <param name="spec">What its configuration says.</param>
sealed class HubExperts(string folder, ModelSpec spec)
{
    static readonly Dictionary<string, string> s_projections = new(StringComparer.Ordinal)
    {
        ["gate_proj"] = "ffn_gate", ["up_proj"] = "ffn_up", ["down_proj"] = "ffn_down",
        ["w1"] = "ffn_gate", ["w3"] = "ffn_up", ["w2"] = "ffn_down", // Mixtral
    };

    const string Blocks = "_blocks", Scales = "_scales", Bias = "_bias", Both = "gate_up_proj", Down = "down_proj";

    readonly SortedDictionary<string, HubPart?[]> _stacks = new(StringComparer.Ordinal); // by GGUF's name, then by expert
    readonly Dictionary<string, string> _names = new(StringComparer.Ordinal); // of the first expert's tensor here
    readonly SortedDictionary<(int Layer, string Part), HubPart> _together = []; // of all experts

    /// <summary>Takes a tensor if it is of experts.</summary>
    /// <exception cref="ModelFormatException">It is of an expert that the configuration does not have.</exception>
    public bool TryTake(SafetensorsFile file, StoredTensor stored)
    {
        if (stored.Name.Split('.') is not ["model", "layers", var number, "mlp" or "block_sparse_moe", "experts", .. var rest]
            || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            || ExpertsOf(layer) is not (> 0 and var count))
            return false;
        if (rest is [var part] && IsOfAll(part))
        {
            _together.Add((layer, part), new HubPart(file, stored));
            return true;
        }
        if (rest is not [var expertNumber, var projection, "weight"] || !s_projections.TryGetValue(projection, out string? name)
            || !int.TryParse(expertNumber, NumberStyles.None, CultureInfo.InvariantCulture, out int expert))
            return false;
        if (expert >= count)
            throw At(file, stored, $"expert {expert}", $"0 to {count - 1}, as the configuration says");
        name = $"blk.{layer}.{name}_exps.weight";
        _names.TryAdd(name, stored.Name.Replace($".experts.{expert}.", ".experts.*.", StringComparison.Ordinal));
        if (!_stacks.TryGetValue(name, out HubPart?[]? parts))
            _stacks[name] = parts = new HubPart?[count];
        parts[expert] = new HubPart(file, stored);
        return true;
    }

    /// <summary>What was taken, as GGUF has it, and where the first part of each is.</summary>
    /// <exception cref="ModelFormatException">An expert is missing, or of another shape than the others.</exception>
    public IEnumerable<(HubTensor Tensor, HubPart First)> Shown()
    {
        foreach ((string name, HubPart?[] parts) in _stacks)
            yield return (Stack(name, parts), parts[0]!.Value);
        foreach (((int layer, string part), HubPart stored) in _together)
            foreach (HubTensor tensor in OfAll(layer, part, stored))
                yield return (tensor, stored);
    }

    int ExpertsOf(int layer) => layer < spec.Layers.Length ? spec.Layers[layer].FeedForward?.Experts ?? 0 : 0;

    static bool IsOfAll(string part) =>
        part is Both + Blocks or Both + Scales or Both + Bias or Down + Blocks or Down + Scales or Down + Bias;

    HubStack Stack(string name, HubPart?[] parts)
    {
        int missing = Array.IndexOf(parts, null);
        if (missing >= 0)
            throw ModelFormatException.At(folder,
                $"tensor {Printable.Quote(_names[name].Replace(".experts.*.", $".experts.{missing}.", StringComparison.Ordinal))}",
                "it is missing", $"one for each of {parts.Length} experts");
        StoredTensor first = parts[0]!.Value.Stored;
        if (first.Shape.Length != 2 || first.Type == TensorTypes.Bytes)
            throw At(parts[0]!.Value.File, first, $"{first.Type.DisplayName()} {first.ShapeText}", "a matrix of BF16, F16 or F32");
        if (Array.Find(parts, part => !IsLike(part!.Value.Stored, first)) is { } odd)
            throw At(odd.File, odd.Stored, $"{odd.Stored.Type.DisplayName()} {odd.Stored.ShapeText}",
                $"{first.Type.DisplayName()} {first.ShapeText}, as the first expert has it");
        return new HubStack(new StoredTensor(name, first.Type, [.. first.Shape, parts.Length], 0, checked(first.ByteLength * parts.Length)),
            [.. parts.Select(part => part!.Value)]);
    }

    static bool IsLike(StoredTensor other, StoredTensor first) => other.Type == first.Type && other.Shape.SequenceEqual(first.Shape);

    IEnumerable<HubTensor> OfAll(int layer, string part, HubPart stored)
    {
        string[] names = part.StartsWith(Both, StringComparison.Ordinal) ? ["ffn_gate", "ffn_up"] : ["ffn_down"];
        if (part.EndsWith(Scales, StringComparison.Ordinal))
            return []; // they go with the blocks
        return part.EndsWith(Bias, StringComparison.Ordinal)
            ? names.Select((name, i) => Biases($"blk.{layer}.{name}_exps.bias", ExpertsOf(layer), stored, i, names.Length))
            : names.Select((name, i) => Matrices($"blk.{layer}.{name}_exps.weight", layer, part, stored, i, names.Length));
    }

    static HubVector Biases(string name, int experts, HubPart bias, int first, int step)
    {
        if (bias.Stored.Shape.Length != 2 || bias.Stored.Rows != experts || bias.Stored.Columns % step != 0
            || bias.Stored.Type == TensorTypes.Bytes)
            throw At(bias.File, bias.Stored, $"{bias.Stored.Type.DisplayName()} {bias.Stored.ShapeText}",
                $"a row for each of {experts} experts");
        float[] all = HubVector.Numbers(bias.File, bias.Stored);
        return new HubVector(name, [.. all.Where((_, i) => i % step == first)], experts);
    }

    HubMxfp4 Matrices(string name, int layer, string part, HubPart blocks, int first, int step)
    {
        string scalesName = part.Replace(Blocks, Scales, StringComparison.Ordinal);
        if (!_together.TryGetValue((layer, scalesName), out HubPart scales))
            throw ModelFormatException.At(folder,
                $"tensor {Printable.Quote(blocks.Stored.Name.Replace(Blocks, Scales, StringComparison.Ordinal))}",
                "it is missing", "the scales of the blocks");
        int experts = ExpertsOf(layer);
        if (blocks.Stored is not { Type: TensorTypes.Bytes, Shape: [16, var groups, var rows, var matrices] }
            || matrices != experts || rows % step != 0)
            throw At(blocks.File, blocks.Stored, $"{blocks.Stored.Type.DisplayName()} {blocks.Stored.ShapeText}",
                $"u8 [16, columns / 32, rows, {experts}]");
        if (scales.Stored is not { Type: TensorTypes.Bytes, Shape: [var ofScales, var scaleRows, var ofExperts] }
            || (ofScales, scaleRows, ofExperts) != (groups, rows, matrices))
            throw At(scales.File, scales.Stored, $"{scales.Stored.Type.DisplayName()} {scales.Stored.ShapeText}",
                $"u8 [{groups}, {rows}, {matrices}], as the blocks have it");
        StoredTensor shown = new(name, TensorType.MXFP4, [groups * 32, rows / step, matrices], 0,
            checked(TensorType.MXFP4.RowBytes(groups * 32) * (rows / step) * matrices));
        return new HubMxfp4(shown, ByRows(blocks, groups * 16), ByRows(scales, groups), first, step);
    }

    /// <summary>The same bytes as rows of so many.</summary>
    static HubPart ByRows(HubPart part, long columns) => part with
    {
        Stored = new StoredTensor(
            part.Stored.Name, part.Stored.Type, [columns, part.Stored.ByteLength / columns], part.Stored.Offset, part.Stored.ByteLength),
    };

    static ModelFormatException At(SafetensorsFile file, StoredTensor stored, string seen, string expected) =>
        ModelFormatException.At(file.Path, $"tensor {Printable.Quote(stored.Name)}", seen, expected);
}
