using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Model;

namespace Kvasir.Tests.Model;

/// <summary>The forward pass as a textbook has it: doubles, one token after the other, all keys and values kept in lists. Llama's architecture only.</summary>
sealed class PlainTransformer(GgufFile file)
{
    readonly ModelConfig _config = ModelConfig.From(file);

    /// <summary>Logits after the last token.</summary>
    public double[] Logits(int[] tokens)
    {
        List<double[]>[] keys = [.. Enumerable.Range(0, _config.Layers).Select(_ => new List<double[]>())], values = [.. Enumerable.Range(0, _config.Layers).Select(_ => new List<double[]>())];
        double[] x = [];
        for (int position = 0; position < tokens.Length; position++)
        {
            x = Row("token_embd.weight", tokens[position]);
            for (int layer = 0; layer < _config.Layers; layer++)
            {
                string block = $"blk.{layer}.";
                double[] normed = Norm(x, block + "attn_norm.weight"), queries = Rotate(Times(block + "attn_q.weight", normed), position);
                if (_config.Producers[layer] == layer)
                {
                    keys[layer].Add(Rotate(Times(block + "attn_k.weight", normed), position));
                    values[layer].Add(Times(block + "attn_v.weight", normed));
                }
                int first = _config.Windows[layer] is { } window ? Math.Max(0, position - window + 1) : 0;
                x = Sum(x, Times(block + "attn_output.weight", Attend(queries, keys[_config.Producers[layer]], values[_config.Producers[layer]], first)));
                normed = Norm(x, block + "ffn_norm.weight");
                double[] gate = Times(block + "ffn_gate.weight", normed), up = Times(block + "ffn_up.weight", normed);
                x = Sum(x, Times(block + "ffn_down.weight", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]));
            }
        }
        return Times(file.TryGetTensor("output.weight", out _) ? "output.weight" : "token_embd.weight", Norm(x, "output_norm.weight"));
    }

    double[] Attend(double[] queries, List<double[]> keys, List<double[]> values, int first)
    {
        int dim = _config.HeadDim, group = _config.Heads / _config.KvHeads;
        double[] attended = new double[queries.Length];
        for (int head = 0; head < _config.Heads; head++)
        {
            int at = head * dim, from = head / group * dim;
            double[] weights = [.. keys.Skip(first).Select(key => Math.Exp(Enumerable.Range(0, dim).Sum(i => queries[at + i] * key[from + i]) / Math.Sqrt(dim)))];
            double total = weights.Sum();
            for (int t = 0; t < weights.Length; t++)
                for (int i = 0; i < dim; i++)
                    attended[at + i] += weights[t] / total * values[first + t][from + i];
        }
        return attended;
    }

    double[] Rotate(double[] heads, int position)
    {
        double[] rotated = new double[heads.Length];
        for (int i = 0; i < heads.Length; i += 2)
        {
            double angle = position * Math.Pow(_config.RopeBase, -(double)(i % _config.HeadDim) / _config.HeadDim);
            rotated[i] = heads[i] * Math.Cos(angle) - heads[i + 1] * Math.Sin(angle);
            rotated[i + 1] = heads[i] * Math.Sin(angle) + heads[i + 1] * Math.Cos(angle);
        }
        return rotated;
    }

    double[] Norm(double[] x, string name)
    {
        double scale = 1 / Math.Sqrt(x.Sum(value => value * value) / x.Length + _config.NormEpsilon);
        return [.. x.Zip(Row(name, 0), (value, weight) => value * scale * weight)];
    }

    double[] Times(string name, double[] x) =>
        [.. Enumerable.Range(0, (int)file.GetTensor(name).Rows).Select(row => Row(name, row).Zip(x, (weight, value) => weight * value).Sum())];

    double[] Row(string name, int row)
    {
        StoredTensor tensor = file.GetTensor(name);
        float[] values = new float[tensor.Columns];
        RowFormat.Dequantize(tensor.Type, file.Row(tensor, row), values);
        return [.. values.Select(value => (double)value)];
    }

    static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];
}
