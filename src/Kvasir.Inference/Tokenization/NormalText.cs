using System.Text;

namespace Kvasir.Inference.Tokenization;

/// <summary>Text after steps of normalisation, whose characters know where in the text before they come from.</summary>
sealed class NormalText
{
    readonly int[]? _sources;
    readonly int _length;

    NormalText(string text, int length, int[]? sources) => (Text, _length, _sources) = (text, length, sources);

    public string Text { get; }

    /// <summary>What a stretch of it comes from, in the text before: all characters that had a part in it.</summary>
    public (int Start, int Length) Source(int start, int length)
    {
        if (_sources is null)
            return (start, length);
        int from = _sources[start], to = start + length;
        while (to < _sources.Length && _sources[to] == _sources[to - 1]) // of one character, or a space that was put before it
            to++;
        return (from, (to < _sources.Length ? _sources[to] : _length) - from);
    }

    /// <summary>A text as it is.</summary>
    public static NormalText Of(string text) => new(text, text.Length, null);

    /// <summary>A space, as SentencePiece writes it, before it, and the same in place of its own.</summary>
    public NormalText WithSpaces(char space, bool before)
    {
        string text = (before ? space + Text : Text).Replace(' ', space);
        if (!before)
            return new(text, _length, _sources);
        IEnumerable<int> sources = _sources ?? Enumerable.Range(0, _length);
        return new(text, _length, [0, .. sources]);
    }

    /// <summary>Well-formed text in Unicode's form C: marks in order, and put together with what they stand on.</summary>
    public static NormalText InFormC(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u02FF')
            || CanonicalForms.Unicode is var forms && !text.AsSpan().ContainsAny(forms.Changing))
            return Of(text);
        List<Part> parts = TakeApart(text, forms);
        Order(parts);
        PutTogether(parts, forms);
        StringBuilder normal = new(text.Length);
        List<int> sources = new(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (Part part in parts)
        {
            normal.Append(units[..new Rune(part.Rune).EncodeToUtf16(units)]);
            while (sources.Count < normal.Length)
                sources.Add(part.Source);
        }
        return new(normal.ToString(), text.Length, [.. sources]);
    }

    readonly record struct Part(int Rune, byte Class, int Source);

    static List<Part> TakeApart(string text, CanonicalForms forms)
    {
        List<Part> parts = new(text.Length);
        int source = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            Add(rune.Value);
            source += rune.Utf16SequenceLength;
        }
        return parts;

        void Add(int rune)
        {
            if (!forms.TryTakeApart(rune, out (int First, int Second) pair))
            {
                parts.Add(new Part(rune, forms.Class(rune), source));
                return;
            }
            Add(pair.First);
            if (pair.Second > 0)
                Add(pair.Second);
        }
    }

    /// <summary>
    /// Sorts the marks on each character by their classes; those of a class stay in their order. All of them come from where the character
    /// does: which of them are put together with it, and which stay behind, does not follow their order.
    /// </summary>
    static void Order(List<Part> parts)
    {
        for (int start = 0; start < parts.Count; start++)
        {
            int end = start;
            while (end < parts.Count && parts[end].Class > 0)
                end++;
            if (end == start)
                continue;
            int source = parts[Math.Max(start - 1, 0)].Source;
            Part[] marks = [.. parts.GetRange(start, end - start).OrderBy(part => part.Class)];
            for (int i = 0; i < marks.Length; i++)
                parts[start + i] = marks[i] with { Source = source };
            start = end;
        }
    }

    /// <summary>Joins each mark with the character that it stands on, unless another of its class, or none, stands between.</summary>
    static void PutTogether(List<Part> parts, CanonicalForms forms)
    {
        int kept = 0, starter = -1, last = -1;
        for (int i = 0; i < parts.Count; i++)
        {
            Part part = parts[i];
            if (starter >= 0 && last < part.Class && forms.TryPutTogether(parts[starter].Rune, part.Rune, out int whole))
            {
                parts[starter] = parts[starter] with { Rune = whole };
                continue;
            }
            if (part.Class == 0)
                (starter, last) = (kept, -1);
            else
                last = part.Class;
            parts[kept++] = part;
        }
        parts.RemoveRange(kept, parts.Count - kept);
    }
}
