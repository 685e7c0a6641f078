using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Retention;

/// <summary>
/// How much queries to come are expected to look at each position, if they are spread like those of the prefix (Expected Attention, Devoto
/// et al., 2025, https://arxiv.org/abs/2510.00636): with mean μ and covariance Σ of the queries, turned by the mean rotation of the next
/// 512 positions, <c>E[exp(q·k / √d)] = exp(μ·k / √d + k·Σk / 2d)</c>, as a share of all positions, times the length of the value.
/// </summary>
sealed unsafe class ExpectedScorer : Scorer
{
    const int Future = 512, Sinks = 4; // the first tokens' queries are like no others

    readonly PrefixRows _prefix;
    readonly FloatRows?[] _sums, _products; // of layers that select: [head, dim], [head · dim, dim]
    readonly int[] _rows;

    public ExpectedScorer(int positions, PrefixRows prefix, ProfileParts parts) : base(positions, 0, parts)
    {
        int layers = parts.Layout.Layers.Length;
        (_prefix, _sums, _products, _rows) = (prefix, new FloatRows[layers], new FloatRows[layers], new int[layers]);
        for (int layer = 0; layer < layers; layer++)
            if (parts.Selects(layer))
            {
                int heads = parts.Config.Layers[layer].Attention!.Heads, dim = parts.Layout.Layers[layer].KeyDim;
                (_sums[layer], _products[layer]) = (new FloatRows(heads, dim), new FloatRows(heads * dim, dim));
            }
    }

    public override FloatRows? Scales(int layer) => null;

    public override void SeeQueries(int layer, FloatRows queries, int rows)
    {
        if (_sums[layer] is not { } sums || _products[layer] is not { } products)
            return;
        for (int row = 0; row < rows; row++)
            if (_rows[layer]++ >= Sinks)
                for (int head = 0; head < sums.Rows; head++)
                    Add(queries[row] + head * sums.Width, sums[head], products, head * sums.Width, sums.Width);
    }

    static void Add(float* query, float* sum, FloatRows products, int first, int dim)
    {
        for (int i = 0; i < dim; i++)
        {
            float* product = products[first + i];
            sum[i] += query[i];
            for (int k = 0; k < dim; k++)
                product[k] += query[i] * query[k];
        }
    }

    /// <summary>Queries say all: what they have looked at does not matter.</summary>
    protected override void Observe(CpuKernels kernels, AttentionInput attention, int firstSeen) { }

    public override ViewMass? Mass(KeptPositions kept) => null;

    protected override void Finish(int layer, int head, ReadOnlySpan<float> seen, Span<float> score)
    {
        (float[] keys, float[] lengths) = (_prefix.Keys(layer, head), _prefix.ValueLengths(layer, head));
        int group = _sums[layer]!.Rows / Parts.Layout.Layers[layer].KvHeads;
        score.Clear();
        double[] shares = new double[score.Length];
        for (int query = head * group; query < (head + 1) * group; query++)
        {
            Expect(layer, query, keys, shares);
            for (int position = 0; position < score.Length; position++)
                score[position] += (float)(shares[position] / group * lengths[position]);
        }
    }

    void Expect(int layer, int query, float[] keys, double[] shares)
    {
        (float[] mean, float[][] covariance) = Spread(layer, query);
        int dim = mean.Length;
        double scale = Parts.Transformer.ScaleOf(layer), most = double.NegativeInfinity, total = 0;
        for (int position = 0; position < shares.Length; position++)
        {
            ReadOnlySpan<float> key = keys.AsSpan(position * dim, dim);
            double quadratic = 0;
            for (int i = 0; i < dim; i++)
                quadratic += (double)key[i] * PrefixRows.Dot(covariance[i], key);
            shares[position] = PrefixRows.Dot(mean, key) * scale + quadratic * scale * scale / 2;
            most = Math.Max(most, shares[position]);
        }
        for (int position = 0; position < shares.Length; position++)
            total += shares[position] = Math.Exp(shares[position] - most);
        for (int position = 0; position < shares.Length; position++)
            shares[position] /= total;
    }

    /// <summary>Mean and covariance of a head's queries, as those to come will be rotated on average.</summary>
    (float[] Mean, float[][] Covariance) Spread(int layer, int query)
    {
        float* sum = _sums[layer]![query];
        int dim = _sums[layer]!.Width, rows = Math.Max(1, _rows[layer] - Sinks);
        float[] mean = new float[dim];
        float[][] covariance = new float[dim][];
        for (int i = 0; i < dim; i++)
            mean[i] = sum[i] / rows;
        for (int i = 0; i < dim; i++)
        {
            covariance[i] = new float[dim];
            for (int k = 0; k < dim; k++)
                covariance[i][k] = _products[layer]![query * dim + i][k] / rows - mean[i] * mean[k];
        }
        if (Parts.Transformer.MeanRotation(layer, Positions, Future) is not { } rotation)
            return (mean, covariance);
        for (int i = 0; i < dim; i++)
            covariance[i] = rotation.Of(covariance[i]);
        float[][] columns = [.. Enumerable.Range(0, dim).Select(k => rotation.Of([.. covariance.Select(row => row[k])]))];
        return (rotation.Of(mean), columns); // symmetric: columns are rows
    }

    public override void Dispose()
    {
        foreach (FloatRows? rows in (FloatRows?[])[.. _sums, .. _products])
            rows?.Dispose();
        base.Dispose();
    }
}
