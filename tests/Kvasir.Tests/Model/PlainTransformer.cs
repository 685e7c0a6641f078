using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;

namespace Kvasir.Tests.Model;

/// <summary>
/// The forward pass as a textbook has it: doubles, one token after the other, all keys and values kept in lists. Layers may differ in
/// everything.
/// </summary>
sealed class PlainTransformer(ITensorSource tensors, ModelSpec spec)
{
    public PlainTransformer(GgufFile file) : this(file, ModelSpec.From(file)) { }

    /// <summary>Logits after the last token.</summary>
    public double[] Logits(int[] tokens)
    {
        List<double[]>[] keys = [.. spec.Layers.Select(_ => new List<double[]>())];
        List<double[]>[] values = [.. spec.Layers.Select(_ => new List<double[]>())];
        double[] x = [];
        for (int position = 0; position < tokens.Length; position++)
        {
            x = Row("token_embd.weight", tokens[position]);
            for (int layer = 0; layer < spec.Layers.Length; layer++)
            {
                string block = $"blk.{layer}.";
                AttentionSpec attention = spec.Layers[layer].Attention!;
                double[] normed = Norm(x, block + "attn_norm.weight"), queries = Heads(block + "attn_q", normed, attention, position);
                if (attention.Producer == layer)
                {
                    keys[layer].Add(Heads(block + "attn_k", normed, attention, position));
                    values[layer].Add(Times(block + "attn_v.weight", normed));
                }
                int first = attention.Window is { } window ? Math.Max(0, position - window + 1) : 0, from = attention.Producer;
                x = Sum(x, Times(block + "attn_output.weight", Attend(attention, queries, keys[from], values[from], first)));
                normed = Norm(x, block + "ffn_norm.weight");
                double[] gate = Times(block + "ffn_gate.weight", normed), up = Times(block + "ffn_up.weight", normed);
                x = Sum(x, Times(block + "ffn_down.weight", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]));
            }
        }
        return Times(spec.IsTied ? "token_embd.weight" : "output.weight", Norm(x, "output_norm.weight"));
    }

    /// <summary>Queries or keys: a product, each head normalised if the model does that, and rotated.</summary>
    double[] Heads(string name, double[] x, AttentionSpec attention, int position) =>
        [.. Times(name + ".weight", x).Chunk(attention.KeyDim)
            .SelectMany(head => Rotate(attention.HasQkNorm ? Norm(head, name + "_norm.weight") : head, attention.Rope, position))];

    static double[] Attend(AttentionSpec attention, double[] queries, List<double[]> keys, List<double[]> values, int first)
    {
        int dim = attention.KeyDim, wide = attention.ValueDim, group = attention.Heads / attention.KvHeads;
        double[] attended = new double[attention.Heads * wide];
        for (int head = 0; head < attention.Heads; head++)
        {
            int from = head / group * dim;
            double[] query = queries[(head * dim)..((head + 1) * dim)];
            double[] weights =
                [.. keys.Skip(first).Select(key => Math.Exp(query.Zip(key[from..], (q, k) => q * k).Sum() / Math.Sqrt(dim)))];
            double total = weights.Sum();
            for (int t = 0; t < weights.Length; t++)
                for (int i = 0; i < wide; i++)
                    attended[head * wide + i] += weights[t] / total * values[first + t][head / group * wide + i];
        }
        return attended;
    }

    double[] Rotate(double[] head, RopeSpec? rope, int position)
    {
        if (rope is null)
            return head;
        double[] rotated = [.. head];
        for (int pair = 0; pair < rope.Dims / 2; pair++)
        {
            (int a, int b) = rope.Style == RopeStyle.Adjacent ? (2 * pair, 2 * pair + 1) : (pair, pair + rope.Dims / 2);
            double divisor = rope.HasDivisors ? Row("rope_freqs.weight", 0)[pair] : rope.Scaling?.Factor ?? 1; // linear scaling, if any
            double angle = position * Math.Pow(rope.Base, -2.0 * pair / rope.Dims) / divisor;
            rotated[a] = head[a] * Math.Cos(angle) - head[b] * Math.Sin(angle);
            rotated[b] = head[a] * Math.Sin(angle) + head[b] * Math.Cos(angle);
        }
        return rotated;
    }

    double[] Norm(double[] x, string name)
    {
        double scale = 1 / Math.Sqrt(x.Sum(value => value * value) / x.Length + spec.Norm.Epsilon!.Value);
        return [.. x.Zip(Row(name, 0), (value, weight) => value * scale * weight)];
    }

    double[] Times(string name, double[] x) =>
        [.. Enumerable.Range(0, (int)Tensor(name).Rows).Select(row => Row(name, row).Zip(x, (weight, value) => weight * value).Sum())];

    double[] Row(string name, int row)
    {
        StoredTensor tensor = Tensor(name);
        float[] values = new float[tensor.Columns];
        RowFormat.Dequantize(tensor.Type, tensors.Row(tensor, row), values);
        return [.. values.Select(value => (double)value)];
    }

    StoredTensor Tensor(string name) => tensors.TryGetTensor(name, out StoredTensor? tensor) ? tensor : throw new ArgumentException(name);

    static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];
}
