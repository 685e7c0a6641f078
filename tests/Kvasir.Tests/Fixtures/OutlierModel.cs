using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// A model with channels of keys and values that are far above the others, as large models have them and small ones do not. It computes
/// what the original does: what a key is multiplied by, its queries are divided by, and so are values and what reads them. The factor is a
/// power of two, so that no bit of a product changes.
/// </summary>
static class OutlierModel
{
    const float Factor = 4;

    /// <summary>Writes such a model, of one of llama's architecture, and returns its path.</summary>
    /// <param name="source">The original.</param>
    /// <param name="path">Where it goes.</param>
    /// <param name="headDim">Elements of a head.</param>
    public static string Write(string source, string path, int headDim)
    {
        using GgufFile file = GgufFile.Open(source);
        var writer = new GgufWriter();
        foreach (string key in file.Metadata.Keys)
            writer.Set(key, key == "general.alignment" ? (uint)file.Metadata.GetInt32(key) : file.Metadata[key]);
        foreach (StoredTensor tensor in file.Tensors)
            writer.Add(tensor.Name, TensorType.F32, tensor.Shape, (first, bytes) =>
            {
                Span<float> rows = MemoryMarshal.Cast<byte, float>(bytes.Span);
                for (int row = 0; row * tensor.Columns < rows.Length; row++)
                    Read(file, tensor, first + row, rows.Slice((int)(row * tensor.Columns), (int)tensor.Columns), headDim);
            });
        writer.Write(path);
        return path;
    }

    static void Read(GgufFile file, StoredTensor tensor, long row, Span<float> values, int headDim)
    {
        RowFormat.Dequantize(tensor.Type, file.Row(tensor, row), values);
        string kind = tensor.Name.Split('.') is [.., var name, "weight"] ? name : "";
        bool isOutlier = row % headDim is 2 or 3; // the pair that one rotation turns
        for (int i = 0; i < values.Length; i++)
            values[i] *= kind switch
            {
                "attn_k" or "attn_v" when isOutlier => Factor,
                "attn_q" when isOutlier => 1 / Factor,
                "attn_output" when i % headDim is 2 or 3 => 1 / Factor,
                _ => 1,
            };
    }
}
