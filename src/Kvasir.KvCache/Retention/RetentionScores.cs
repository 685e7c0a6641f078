namespace Kvasir.KvCache.Retention;

/// <summary>How much each position is worth to each head: the more, the sooner it is kept.</summary>
public sealed class RetentionScores
{
    readonly float[][] _scores;
    readonly int[] _firstHeads;

    /// <summary>All zero.</summary>
    public RetentionScores(RetentionShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        _firstHeads = shape.FirstHeads();
        _scores = new float[_firstHeads[^1]][];
        for (int head = 0; head < _scores.Length; head++)
            _scores[head] = new float[shape.Positions];
    }

    /// <summary>The scores of a head, by position.</summary>
    public Span<float> Of(int layer, int kvHead) => Row(layer, kvHead);

    /// <summary>The later, the more.</summary>
    internal static RetentionScores ByPosition(RetentionShape shape)
    {
        var scores = new RetentionScores(shape);
        foreach (float[] head in scores._scores)
            for (int position = 0; position < head.Length; position++)
                head[position] = position;
        return scores;
    }

    internal float[] Row(int layer, int kvHead) => _scores[_firstHeads[layer] + kvHead];
}
