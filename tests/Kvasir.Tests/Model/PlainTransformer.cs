using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;

namespace Kvasir.Tests.Model;

/// <summary>
/// The forward pass as a textbook has it: doubles, one token after the other, all keys and values kept in lists. Layers may differ in
/// everything.
/// </summary>
sealed class PlainTransformer(ITensorSource tensors, ModelSpec spec, int context = 0)
{
    public PlainTransformer(GgufFile file, int context = 0) : this(file, ModelSpec.From(file), context) { }

    /// <summary>Logits after the last token.</summary>
    public double[] Logits(int[] tokens)
    {
        List<double[]>[] keys = [.. spec.Layers.Select(_ => new List<double[]>())];
        List<double[]>[] values = [.. spec.Layers.Select(_ => new List<double[]>())];
        double[] x = [];
        for (int position = 0; position < tokens.Length; position++)
        {
            x = Scaled(Row("token_embd.weight", tokens[position]), spec.EmbeddingScale ?? 1);
            for (int layer = 0; layer < spec.Layers.Length; layer++)
            {
                string block = $"blk.{layer}.";
                AttentionSpec attention = spec.Layers[layer].Attention!;
                NormPlaces norms = spec.Layers[layer].Norms;
                double[] normed = norms.HasFlag(NormPlaces.BeforeAttention) ? Norm(x, block + "attn_norm.weight") : x;
                double[] queries = Heads(Projected(block, "attn_q", 0, attention, normed), block + "attn_q", attention, position);
                if (attention.Temperature is { } temperature)
                    queries = Scaled(queries, 1 + temperature.Scale * Math.Log(1 + Math.Floor((double)position / temperature.Every)));
                if (attention.Producer == layer)
                {
                    keys[layer].Add(Heads(Projected(block, "attn_k", 1, attention, normed), block + "attn_k", attention, position));
                    values[layer].Add(Projected(block, "attn_v", 2, attention, normed));
                }
                int first = attention.Window is { } window ? Math.Max(0, position - window + 1) : 0, from = attention.Producer;
                double[]? sinks = attention.HasSinks ? Row(block + "attn_sinks.weight", 0) : null;
                double[] added = Product(block + "attn_output", Attend(attention, queries, keys[from], values[from], first, sinks));
                x = Sum(x, Added(added, norms.HasFlag(NormPlaces.AfterAttention), block + "post_attention_norm.weight"));
                normed = norms.HasFlag(NormPlaces.BeforeFeedForward) ? Norm(x, block + FeedForwardNorm(block, norms)) : x;
                FeedForwardSpec network = spec.Layers[layer].FeedForward!;
                if (network.Experts > 0)
                    added = Mixture(block, normed, network);
                else
                {
                    (double[] gate, double[] up) = Network(block, normed, network.Width);
                    added = Product(block + "ffn_down", Activated(gate, up, network));
                }
                x = Sum(x, Added(added, norms.HasFlag(NormPlaces.AfterFeedForward), block + "post_ffw_norm.weight"));
            }
        }
        double[] logits = Times(spec.IsTied ? "token_embd.weight" : "output.weight", Norm(x, "output_norm.weight"));
        return [.. Scaled(logits, spec.LogitScale ?? 1).Select(logit => Capped(logit, spec.LogitSoftcap))];
    }

    string FeedForwardNorm(string block, NormPlaces norms) =>
        !norms.HasFlag(NormPlaces.AfterAttention) && tensors.TryGetTensor(block + "post_attention_norm.weight", out _)
            ? "post_attention_norm.weight" : "ffn_norm.weight";

    static double[] Activated(double[] gate, double[] up, FeedForwardSpec network) => [.. gate.Zip(up, (g, u) => network switch
    {
        { Activation: not "silu" } => Gelu(g) * u,
        { Limit: { } limit } when Math.Min(g, limit) is var held =>
            held / (1 + Math.Exp(-1.702 * held)) * (Math.Clamp(u, -limit, limit) + 1),
        _ => g / (1 + Math.Exp(-g)) * u,
    })];

    /// <summary>The experts with the largest logits, by the softmax of theirs alone, or of all.</summary>
    double[] Mixture(string block, double[] x, FeedForwardSpec network)
    {
        double[] shares = [.. Product(block + "ffn_gate_inp", x).Select(Math.Exp)];
        int[] chosen = [.. Enumerable.Range(0, network.Experts).OrderByDescending(expert => shares[expert]).Take(network.Chosen)];
        double total = network.WeighsAmongAll ? shares.Sum() : chosen.Sum(expert => shares[expert]);
        double[] sum = new double[x.Length];
        foreach (int expert in chosen)
        {
            double[] hidden = Activated(OfExpert("ffn_gate_exps", x, expert), OfExpert("ffn_up_exps", x, expert), network);
            sum = Sum(sum, Scaled(OfExpert("ffn_down_exps", hidden, expert), shares[expert] / total));
        }
        return sum;

        double[] OfExpert(string name, double[] inputs, int expert)
        {
            int rows = (int)Tensor(block + name + ".weight").Shape[1];
            double[] product = [.. Enumerable.Range(expert * rows, rows)
                .Select(row => Row(block + name + ".weight", row).Zip(inputs, (weight, value) => weight * value).Sum())];
            return tensors.TryGetTensor(block + name + ".bias", out _) ? Sum(product, Row(block + name + ".bias", expert)) : product;
        }
    }

    static double Gelu(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    static double Capped(double x, float? cap) => cap is { } most ? most * Math.Tanh(x / most) : x;

    static double[] Scaled(double[] x, double by) => [.. x.Select(value => value * by)];

    double[] Added(double[] x, bool isNormed, string norm) => Scaled(isNormed ? Norm(x, norm) : x, spec.ResidualScale ?? 1);

    /// <summary>A product with its bias, if it has one.</summary>
    double[] Product(string name, double[] x) => tensors.TryGetTensor(name + ".bias", out _)
        ? Sum(Times(name + ".weight", x), Row(name + ".bias", 0)) : Times(name + ".weight", x);

    /// <summary>Queries, keys or values, of a matrix of their own or a part of one for all three.</summary>
    double[] Projected(string block, string name, int part, AttentionSpec attention, double[] x)
    {
        if (tensors.TryGetTensor(block + name + ".weight", out _))
            return Product(block + name, x);
        int queries = attention.Heads * attention.KeyDim, keys = attention.KvHeads * attention.KeyDim;
        double[] all = Product(block + "attn_qkv", x);
        return part switch { 0 => all[..queries], 1 => all[queries..(queries + keys)], _ => all[(queries + keys)..] };
    }

    (double[] Gate, double[] Up) Network(string block, double[] x, int width) => tensors.TryGetTensor(block + "ffn_gate.weight", out _)
        ? (Product(block + "ffn_gate", x), Product(block + "ffn_up", x))
        : (Product(block + "ffn_up", x)[..width], Product(block + "ffn_up", x)[width..]);

    /// <summary>Queries or keys, each head or all of them normalised if the model does that, and rotated.</summary>
    double[] Heads(double[] all, string name, AttentionSpec attention, int position)
    {
        if (attention is { HasQkNorm: true, NormsHeadsAsOne: true })
            all = Norm(all, name + "_norm.weight");
        bool isNormed = attention is { HasQkNorm: true, NormsHeadsAsOne: false };
        return [.. all.Chunk(attention.KeyDim)
            .SelectMany(head => Rotate(isNormed ? Norm(head, name + "_norm.weight") : head, attention.Rope, position))];
    }

    static double[] Attend(AttentionSpec attention, double[] queries, List<double[]> keys, List<double[]> values, int first,
        double[]? sinks)
    {
        int dim = attention.KeyDim, wide = attention.ValueDim, group = attention.Heads / attention.KvHeads;
        double[] attended = new double[attention.Heads * wide];
        for (int head = 0; head < attention.Heads; head++)
        {
            int from = head / group * dim;
            double[] query = queries[(head * dim)..((head + 1) * dim)];
            double[] weights =
                [.. keys.Skip(first).Select(key => Math.Exp(
                    Capped(query.Zip(key[from..], (q, k) => q * k).Sum() * (attention.Scale ?? 1 / Math.Sqrt(dim)), attention.Softcap)))];
            double total = weights.Sum() + (sinks is null ? 0 : Math.Exp(sinks[head]));
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
            double divisor = rope.HasDivisors ? Row("rope_freqs.weight", 0)[pair]
                : rope.Scaling?.Divisors(rope.Base, rope.Dims, context > rope.Scaling.OriginalContext)[pair] ?? 1;
            double angle = position * Math.Pow(rope.Base, -2.0 * pair / rope.Dims) / divisor;
            rotated[a] = (head[a] * Math.Cos(angle) - head[b] * Math.Sin(angle)) * rope.Magnitude;
            rotated[b] = (head[a] * Math.Sin(angle) + head[b] * Math.Cos(angle)) * rope.Magnitude;
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
