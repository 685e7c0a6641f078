namespace Kvasir.Inference.Kernels;

/// <summary>Finds the largest of many numbers, as integers of the same order, a byte of them at a time.</summary>
static class LargestRanks
{
    /// <summary>An integer that is the larger, the larger the number is.</summary>
    public static uint Of(float number)
    {
        uint bits = BitConverter.SingleToUInt32Bits(number);
        return (int)bits < 0 ? ~bits : bits | 0x8000_0000;
    }

    /// <summary>Where the largest <paramref name="count"/> are, ascending; of equal ones, the first.</summary>
    public static int Choose(ReadOnlySpan<uint> ranks, int count, Span<int> places)
    {
        if (count == 0)
            return 0;
        (uint least, int ofLeast) = Least(ranks, count);
        int chosen = 0;
        for (int i = 0; i < ranks.Length && chosen < count; i++)
            if (ranks[i] > least || (ranks[i] == least && ofLeast-- > 0))
                places[chosen++] = i;
        return chosen;
    }

    /// <summary>The least of the largest, and how many of those that equal it are among them.</summary>
    static (uint Least, int Equal) Least(ReadOnlySpan<uint> ranks, int count)
    {
        Span<int> counts = stackalloc int[256];
        uint least = 0, known = 0; // the bits of it that are known
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            counts.Clear();
            foreach (uint rank in ranks)
                if ((rank & known) == least)
                    counts[(int)(rank >> shift & 255)]++;
            int digit = 255;
            for (; counts[digit] < count; digit--)
                count -= counts[digit];
            (least, known) = (least | (uint)digit << shift, known | 255u << shift);
        }
        return (least, count);
    }
}
