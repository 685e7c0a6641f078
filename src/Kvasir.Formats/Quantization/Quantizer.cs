using System.Runtime.ExceptionServices;
using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Quantization;

/// <summary>How far a <see cref="Quantizer"/> has come: bytes written out of the bytes of all tensors in the new file.</summary>
public readonly record struct QuantizeProgress(long BytesDone, long BytesTotal);

/// <summary>Rewrites a model with its matrices in another type.</summary>
/// <remarks>
/// A matrix here is a tensor of two dimensions, or of three for the experts of a mixture, named <c>….weight</c>, other than a norm, whose
/// columns are a multiple of the type's block. What experts are chosen by (<c>ffn_gate_inp</c>) stays as it is: it is small, and a choice
/// is all or nothing. Everything else is copied. Where the mix is one type, token embeddings and output get it, too. Matrices that are
/// quantised already are rounded a second time: the best source is f32, f16 or bf16.
/// </remarks>
public static class Quantizer
{
    /// <summary>
    /// Writes <paramref name="source"/> to <paramref name="outputPath"/> with matrices as <paramref name="mix"/> says. The output's bytes
    /// depend only on the source and the arguments. Where the operating system can rename over an open file (not on Windows) the output
    /// may be the source itself, which stays readable through <paramref name="source"/> until it is disposed.
    /// </summary>
    /// <param name="source">The model to read.</param>
    /// <param name="outputPath">Where the new model goes; an existing file is replaced when the new one is complete.</param>
    /// <param name="mix">One of <see cref="WeightMix.All"/>.</param>
    /// <param name="metadata">String entries to add, or whose values to replace.</param>
    /// <param name="progress">Told after every chunk.</param>
    /// <param name="cancellation">Ends the work between two chunks and leaves no trace.</param>
    /// <exception cref="IOException">The output cannot be written; the message names it.</exception>
    /// <exception cref="ModelFormatException">A weight cannot be represented: not a number, or too large.</exception>
    public static void Quantize(
        IModelFile source, string outputPath, WeightMix mix, IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<QuantizeProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(outputPath);
        ArgumentNullException.ThrowIfNull(mix);
        if (OperatingSystem.IsWindows() && Path.GetFullPath(outputPath) == Path.GetFullPath(source.Path))
            throw new IOException($"{outputPath}: cannot be written: it is the file being read");

        var writer = new GgufWriter();
        CopyMetadata(source.Metadata, writer, mix, metadata ?? new Dictionary<string, string>());
        long total = 0;
        int layers = source.Tensors.Select(tensor => tensor.Name.Split('.')).Where(name => name is ["blk", _, ..])
            .Select(name => name[1]).Distinct().Count();
        bool isTied = source.Tensors.All(tensor => tensor.Name != "output.weight");
        foreach (StoredTensor tensor in source.Tensors)
        {
            TensorType target = (IsMatrix(tensor) ? mix.TypeOf(tensor.Name, tensor.Columns, layers, isTied) : null) ?? tensor.Type;
            writer.Add(tensor.Name, target, tensor.Shape, (row, bytes) => Convert(source, tensor, target, row, bytes));
            total += target.RowBytes(tensor.Columns) * tensor.Rows;
        }
        writer.Write(outputPath, progress is null ? null : new Sum(progress, total), cancellation);
    }

    static bool IsMatrix(StoredTensor tensor) => tensor.Shape.Length is 2 or 3
        && tensor.Name.EndsWith(".weight", StringComparison.Ordinal) && !tensor.Name.EndsWith("_norm.weight", StringComparison.Ordinal)
        && !tensor.Name.EndsWith(".ffn_gate_inp.weight", StringComparison.Ordinal);

    static void CopyMetadata(GgufMetadata source, GgufWriter writer, WeightMix mix, IReadOnlyDictionary<string, string> extra)
    {
        foreach (string key in source.Keys)
            writer.Set(key, key == GgufHeader.AlignmentKey ? (uint)source.GetInt32(key) : source[key]);
        foreach (var (key, value) in extra)
        {
            if (source.Contains(key) && source[key] is not string)
                throw source.Invalid(key, $"a value of type {source.TypeName(key)}", "a string, to replace it by a string");
            writer.Set(key, value);
        }
        writer.Set("general.file_type", mix.FileType);
        writer.Set("general.quantization_version", 2u);
    }

    static void Convert(IModelFile source, StoredTensor tensor, TensorType target, long firstRow, Memory<byte> bytes)
    {
        int rowBytes = (int)target.RowBytes(tensor.Columns);
        try
        {
            Parallel.For(0, bytes.Length / rowBytes, () => new float[target == tensor.Type ? 0 : tensor.Columns], (i, _, values) =>
            {
                Span<byte> destination = bytes.Span.Slice(i * rowBytes, rowBytes);
                if (target == tensor.Type) source.Row(tensor, firstRow + i).CopyTo(destination);
                else Requantize(source, tensor, firstRow + i, values, target, destination);
                return values;
            }, _ => { });
        }
        catch (AggregateException e) when (e.InnerException is ModelFormatException inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }
    }

    static void Requantize(IModelFile source, StoredTensor tensor, long row, float[] values, TensorType target, Span<byte> destination)
    {
        RowFormat.Dequantize(tensor.Type, source.Row(tensor, row), values);
        // f16, and with it the scales of all blocks, ends here. Written this way round, the comparison also refuses NaN.
        float limit = target is TensorType.F32 or TensorType.BF16 ? float.MaxValue : 65504;
        int column = Array.FindIndex(values, value => !(MathF.Abs(value) <= limit));
        if (column >= 0)
            throw ModelFormatException.At(source.Path, $"tensor {Printable.Quote(tensor.Name)}",
                FormattableString.Invariant($"{values[column]} in row {row}, column {column}"),
                FormattableString.Invariant($"a number of at most {limit} for {target.DisplayName()}"));
        RowFormat.Quantize(target, values, destination);
    }

    sealed class Sum(IProgress<QuantizeProgress> progress, long total) : IProgress<long>
    {
        long _done;

        public void Report(long value) => progress.Report(new QuantizeProgress(_done += value, total));
    }
}
