using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Retention;

/// <summary>Gives each position of a prefix a score, for each layer and KV head, by what rows look at.</summary>
abstract class Scorer : AttentionObserver, IDisposable
{
    /// <summary>The last rows, which SnapKV asks and FastGen looks at: all in one pass.</summary>
    public const int ObservedRows = 32;

    readonly FloatRows _scales;
    readonly FloatRows[] _scalesOfLayers;
    readonly int _rows; // of Seen, without sums beside them
    readonly int[] _firstSeen; // of each layer, the row of its first KV head; a layer that reads another's has that one's

    /// <param name="positions">Tokens of the prefix.</param>
    /// <param name="firstRow">The first of them whose row looks.</param>
    /// <param name="parts">What the profile is made with.</param>
    /// <param name="isLargest">Whether <see cref="Seen"/> has the largest of what was seen, and behind these rows as many with sums.</param>
    protected Scorer(int positions, int firstRow, ProfileParts parts, bool isLargest = false)
    {
        (Parts, Positions, FirstRow) = (parts, positions, firstRow);
        int[] heads = [.. parts.Config.Layers.Select(layer => layer.Attention!.Heads)];
        _scales = new FloatRows(parts.Transformer.MaxTokens, 2 * heads.Max());
        _scalesOfLayers = [.. heads.Select(count => _scales.OfWidth(2 * count))];
        _firstSeen = new int[heads.Length];
        int rows = 0;
        for (int layer = 0; layer < heads.Length; layer++)
        {
            KvLayer shape = parts.Layout.Layers[layer];
            _firstSeen[layer] = shape.Producer == layer ? rows : _firstSeen[shape.Producer];
            rows += parts.Selects(layer) ? shape.KvHeads : 0;
        }
        _rows = isLargest ? Math.Max(1, rows) : 0;
        Seen = new FloatRows(Math.Max(1, rows) + _rows, positions);
    }

    /// <summary>The first token whose row looks.</summary>
    public int FirstRow { get; }

    protected ProfileParts Parts { get; }

    /// <summary>Positions of the prefix.</summary>
    protected int Positions { get; }

    /// <summary>A score for each position: rows are the KV heads of all layers that select.</summary>
    protected FloatRows Seen { get; }

    /// <summary>The scorers of a policy, the one whose scores count last; none where positions alone decide.</summary>
    public static Scorer[] Of(RetentionPolicy policy, int[] tokens, BlockTable blocks, ProfileParts parts)
    {
        int last = Math.Max(0, tokens.Length - ObservedRows);
        PrefixRows prefix = new(parts.Layout, blocks, tokens.Length);
        return policy.Scorer switch
        {
            RetentionScorer.Replay => [new ReplayScorer(tokens.Length, prefix, parts)],
            RetentionScorer.H2O => [new MassScorer(tokens.Length, 0, parts)],
            RetentionScorer.SnapKv => [new SnapKvScorer(tokens.Length, last, parts)],
            RetentionScorer.FastGen when policy.Budget is null => [new FastGenScorer(policy, tokens, last, parts)],
            RetentionScorer.FastGen =>
                [new FastGenScorer(policy, tokens, last, parts), new ReplayScorer(tokens.Length, prefix, parts)],
            RetentionScorer.Expected => [new ExpectedScorer(tokens.Length, prefix, parts)],
            _ => [],
        };
    }

    public override FloatRows? Scales(int layer) => Looks(layer) ? _scalesOfLayers[layer] : null;

    public override void SeeAttention(CpuKernels kernels, AttentionInput attention)
    {
        if (Looks(attention.Layer))
            Observe(kernels, attention, _firstSeen[attention.Layer]);
    }

    /// <summary>Looks at a layer's attention.</summary>
    protected abstract void Observe(CpuKernels kernels, AttentionInput attention, int firstSeen);

    /// <summary>The scores, when all rows have looked.</summary>
    public RetentionScores Scores(RetentionShape shape)
    {
        var scores = new RetentionScores(shape);
        for (int layer = 0; layer < shape.Layers.Length; layer++)
            for (int head = 0; Parts.Selects(layer) && head < shape.Layers[layer].KvHeads; head++)
                Finish(layer, head, Seen.Span(_firstSeen[layer] + head), scores.Of(layer, head));
        return scores;
    }

    /// <summary>
    /// Which share of the attention of the rows that looked went to positions that are kept; null where none was summed.
    /// </summary>
    public virtual ViewMass? Mass(KeptPositions kept)
    {
        List<double> shares = [];
        for (int layer = 0; layer < kept.Shape.Layers.Length; layer++)
            for (int head = 0; Parts.Selects(layer) && head < kept.Shape.Layers[layer].KvHeads; head++)
                shares.Add(Share(Seen.Span(_rows + _firstSeen[layer] + head), kept.Of(layer, head)));
        return new ViewMass(shares.Average(), shares.Min());
    }

    static double Share(ReadOnlySpan<float> sums, ReadOnlySpan<int> kept)
    {
        double all = 0, of = 0;
        foreach (float sum in sums)
            all += sum;
        foreach (int position in kept)
            of += sums[position];
        return all == 0 ? 1 : of / all;
    }

    protected virtual void Finish(int layer, int head, ReadOnlySpan<float> seen, Span<float> score) => seen.CopyTo(score);

    /// <summary>Whether what a layer looks at says what to keep: its own keys and values, or those of a layer that it reads.</summary>
    bool Looks(int layer) => Parts.Selects(Parts.Layout.Layers[layer].Producer) && Parts.Layout.Layers[layer].State is LayerState.Full;

    public virtual void Dispose()
    {
        _scales.Dispose();
        Seen.Dispose();
    }
}
