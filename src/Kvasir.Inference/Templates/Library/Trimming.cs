using System.Text;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Takes characters away from a text's ends.</summary>
static class Trimming
{
    /// <param name="text">The text.</param>
    /// <param name="characters">Those to take away, in any order; white space if null.</param>
    /// <param name="atStart">Whether from the start.</param>
    /// <param name="atEnd">Whether from the end.</param>
    public static MarkedText Strip(MarkedText text, MarkedText? characters, bool atStart = true, bool atEnd = true)
    {
        HashSet<Rune>? set = characters?.Text.EnumerateRunes().ToHashSet();
        ReadOnlySpan<char> rest = text.Text;
        int start = 0;
        while (atStart && start < rest.Length)
        {
            Rune.DecodeFromUtf16(rest[start..], out Rune rune, out int length);
            if (!Goes(rune)) break;
            start += length;
        }
        int end = rest.Length;
        while (atEnd && end > start)
        {
            Rune.DecodeLastFromUtf16(rest[start..end], out Rune rune, out int length);
            if (!Goes(rune)) break;
            end -= length;
        }
        return text[start..end];

        bool Goes(Rune rune) => set?.Contains(rune) ?? (rune.IsBmp && PythonText.IsSpace((char)rune.Value));
    }
}
