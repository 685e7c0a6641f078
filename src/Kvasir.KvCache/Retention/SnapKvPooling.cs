namespace Kvasir.KvCache.Retention;

/// <summary>What a position is worth is what the best of its neighbours is worth, so that words are not torn apart (SnapKV).</summary>
public static class SnapKvPooling
{
    /// <summary>The published width.</summary>
    public const int DefaultWidth = 7;

    /// <summary>Puts the greatest score within half a width in the place of each.</summary>
    /// <param name="scores">By position.</param>
    /// <param name="width">Odd, so that a position is in the middle.</param>
    public static void Max(Span<float> scores, int width = DefaultWidth)
    {
        if (width < 1 || width % 2 == 0)
            throw new ArgumentException($"a pool of {width} positions, expected an odd number");
        float[] original = scores.ToArray();
        for (int i = 0; i < original.Length; i++)
        {
            int first = Math.Max(0, i - width / 2), end = Math.Min(original.Length, i + width / 2 + 1);
            float most = original[first];
            foreach (float score in original.AsSpan(first, end - first))
                most = Math.Max(most, score);
            scores[i] = most;
        }
    }
}
