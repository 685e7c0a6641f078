using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Replaces parts of texts. What is put in keeps its own origin.</summary>
static class Replacing
{
    /// <summary>Replaces from the left, up to a number of times; each time if that is null or negative.</summary>
    public static MarkedText Replace(MarkedText text, MarkedText old, MarkedText put, long? times, Rendering rendering)
    {
        long count = times is >= 0 ? times.Value : long.MaxValue;
        if (old.Text.Length == 0) return Intersperse(text, put, count, rendering);
        rendering.ChargeSearch(text, old.Text);
        var builder = new MarkedTextBuilder();
        int start = 0;
        for (int found; count > 0 && (found = text.Text.IndexOf(old.Text, start, StringComparison.Ordinal)) >= 0; count--)
        {
            builder.Append(text[start..found]).Append(put);
            start = found + old.Text.Length;
        }
        return start == 0 ? text : builder.Append(text[start..]).ToText();
    }

    /// <summary>Python finds nothing before each character and at the end.</summary>
    static MarkedText Intersperse(MarkedText text, MarkedText put, long count, Rendering rendering)
    {
        rendering.SpendParts(text.Text.Length);
        var builder = new MarkedTextBuilder();
        foreach (MarkedText character in CodePoints.Split(text))
        {
            if (count-- > 0) builder.Append(put);
            builder.Append(character);
        }
        if (count > 0) builder.Append(put);
        return builder.ToText();
    }
}
