namespace Kvasir.Inference.Templates.Values;

/// <summary>Python counts characters where .NET counts UTF-16 units.</summary>
static class CodePoints
{
    public static int Count(string text)
    {
        int count = text.Length;
        for (int i = 1; i < text.Length; i++)
            if (char.IsSurrogatePair(text[i - 1], text[i])) count--;
        return count;
    }

    /// <summary>[characters + 1] where each begins, and the text's end.</summary>
    public static int[] Starts(string text)
    {
        List<int> starts = [];
        for (int i = 0; i < text.Length; i++)
        {
            starts.Add(i);
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])) i++;
        }
        return [.. starts, text.Length];
    }

    public static IEnumerable<MarkedText> Split(MarkedText text)
    {
        int[] starts = Starts(text.Text);
        for (int i = 0; i + 1 < starts.Length; i++)
            yield return text[starts[i]..starts[i + 1]];
    }

    /// <summary>The order of code points: units from U+E000 on come before surrogates.</summary>
    public static int Compare(string left, string right)
    {
        int same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length) return left.Length.CompareTo(right.Length);
        return Weight(left[same]).CompareTo(Weight(right[same]));

        static int Weight(char unit) => char.IsSurrogate(unit) ? unit + 0x10000 : unit;
    }
}
