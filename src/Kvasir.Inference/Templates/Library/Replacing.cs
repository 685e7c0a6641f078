using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Replaces parts of texts. What is put in keeps its own origin.</summary>
static class Replacing
{
    public static MarkedText Replace(Call call)
    {
        MarkedText text = call.Text(0), old = call.Text(1), put = call.Text(2);
        long count = call[3] is null ? -1 : call.Integer(3, -1);
        if (count < 0) count = long.MaxValue;
        if (old.Text.Length == 0) return Intersperse(text, put, count, call.Rendering);
        call.Rendering.ChargeSearch(text, old.Text);
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
        rendering.Spend(text.Text.Length);
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
