using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;

namespace Kvasir.Tests.Fixtures;

/// <summary>The experts of a GGUF file as Hugging Face's hub would have them; see <see cref="HubTwin"/>.</summary>
static class HubTwinExperts
{
    public static bool AreBytes(string name) =>
        name.EndsWith("_blocks", StringComparison.Ordinal) || name.EndsWith("_scales", StringComparison.Ordinal);

    public static IEnumerable<(string Name, long[] Shape, byte[] Bytes)> Of(
        GgufFile file, StoredTensor tensor, string prefix, string modelType, TensorType type)
    {
        string[] parts = tensor.Name.Split('.');
        string layer = $"{prefix}layers.{parts[1]}.", part = parts[2]["ffn_".Length..^"_exps".Length];
        return modelType == "gpt_oss" ? Together(file, tensor, layer + "mlp.experts.", part)
            : Apart(file, tensor, layer, part, modelType, type);
    }

    /// <summary>A matrix for each expert: Qwen and Mixtral.</summary>
    static IEnumerable<(string, long[], byte[])> Apart(
        GgufFile file, StoredTensor tensor, string layer, string part, string modelType, TensorType type)
    {
        (int columns, int rows, int experts) = ((int)tensor.Shape[0], (int)tensor.Shape[1], (int)tensor.Shape[2]);
        int rowBytes = (int)type.RowBytes(columns);
        float[] values = new float[columns];
        for (int expert = experts - 1; expert >= 0; expert--) // in any order
        {
            byte[] bytes = new byte[rows * rowBytes];
            for (int row = 0; row < rows; row++)
            {
                RowFormat.Dequantize(tensor.Type, file.Row(tensor, expert * rows + row), values);
                RowFormat.Quantize(type, values, bytes.AsSpan(row * rowBytes, rowBytes));
            }
            string name = modelType == "mixtral"
                ? $"{layer}block_sparse_moe.experts.{expert}.{part switch { "gate" => "w1", "up" => "w3", _ => "w2" }}.weight"
                : $"{layer}mlp.experts.{expert}.{part}_proj.weight";
            yield return (name, [rows, columns], bytes);
        }
    }

    /// <summary>gpt-oss: all experts, gate and up row by row, scales apart, and the values 2j and 2j + 1 in a byte.</summary>
    static IEnumerable<(string, long[], byte[])> Together(GgufFile file, StoredTensor tensor, string at, string part)
    {
        if (part == "up")
            yield break; // with the gate
        StoredTensor[] both = part == "down" ? [tensor]
            : [tensor, file.GetTensor(tensor.Name.Replace("_gate_", "_up_", StringComparison.Ordinal))];
        string name = part == "down" ? "down_proj" : "gate_up_proj";
        if (tensor.Name.EndsWith(".bias", StringComparison.Ordinal))
        {
            IEnumerable<float> all = Enumerable.Range(0, (int)tensor.Rows)
                .Select(expert => both.Select(each => Values(file, each, expert)).ToArray())
                .SelectMany(rows => Enumerable.Range(0, (int)tensor.Columns).SelectMany(i => rows.Select(row => row[i])));
            yield return ($"{at}{name}_bias", [tensor.Rows, tensor.Columns * both.Length], [.. all.SelectMany(BitConverter.GetBytes)]);
            yield break;
        }
        List<byte> blocks = [], scales = [];
        for (long row = 0; row < tensor.Rows; row++)
            foreach (StoredTensor each in both)
                foreach (byte[] block in file.Row(each, row).ToArray().Chunk(17))
                {
                    scales.Add(block[0]);
                    int[] choices = [.. block[1..].Select(pair => pair & 15), .. block[1..].Select(pair => pair >> 4)];
                    blocks.AddRange(choices.Chunk(2).Select(two => (byte)(two[0] | two[1] << 4)));
                }
        long[] shape = [tensor.Shape[2], tensor.Shape[1] * both.Length, tensor.Shape[0] / 32];
        yield return ($"{at}{name}_blocks", [.. shape, 16], [.. blocks]);
        yield return ($"{at}{name}_scales", shape, [.. scales]);
    }

    static float[] Values(GgufFile file, StoredTensor tensor, int row)
    {
        float[] values = new float[tensor.Columns];
        RowFormat.Dequantize(tensor.Type, file.Row(tensor, row), values);
        return values;
    }
}
