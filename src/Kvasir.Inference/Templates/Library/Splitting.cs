using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Cuts texts into parts, each of which is paid for as an item.</summary>
static class Splitting
{
    /// <summary>At a separator, or at white space of any length where none is given.</summary>
    public static List<object?> Split(Call call)
    {
        MarkedText text = call.Text(0);
        long most = Most(call);
        return Separator(call) is { } separator ? At(separator, text, most, call.Rendering) : AtSpaces(text, most, call.Rendering);
    }

    public static List<object?> SplitFromEnd(Call call)
    {
        if (Separator(call) is { } separator) return FromEnd(separator, call.Text(0), Most(call), call.Rendering);
        return call.Has(2) ? throw call.Wrong(1, "text, because there is a maxsplit") : Split(call);
    }

    /// <summary>At each kind of line end that Python knows, which is not part of the line.</summary>
    public static List<object?> Lines(MarkedText text, Rendering rendering)
    {
        List<object?> lines = [];
        int start = 0;
        for (int i = 0; i < text.Text.Length; i++)
        {
            if (!IsLineEnd(text.Text[i])) continue;
            Add(lines, text[start..i], rendering);
            if (text.Text[i] == '\r' && i + 1 < text.Text.Length && text.Text[i + 1] == '\n') i++;
            start = i + 1;
        }
        if (start < text.Text.Length) Add(lines, text[start..], rendering);
        return lines;
    }

    /// <summary>What stands before the separator, the separator, and what stands after it.</summary>
    public static object?[] Partition(Call call, bool fromEnd)
    {
        MarkedText text = call.Text(0);
        string separator = Separator(call) ?? throw call.Wrong(1, "text");
        int place = fromEnd
            ? text.Text.LastIndexOf(separator, StringComparison.Ordinal)
            : text.Text.IndexOf(separator, StringComparison.Ordinal);
        if (place < 0) return fromEnd ? [MarkedText.Empty, MarkedText.Empty, text] : [text, MarkedText.Empty, MarkedText.Empty];
        int end = place + separator.Length;
        return [text[..place], text[place..end], text[end..]];
    }

    static long Most(Call call) => call.Integer(2, -1) is >= 0 and var most ? most : long.MaxValue;

    static string? Separator(Call call)
    {
        string? separator = call.OptionalText(1)?.Text;
        if (separator == "") throw new TemplateException("split: an empty separator, expected characters");
        if (separator is not null) call.Rendering.ChargeSearch(call.Text(0), separator);
        return separator;
    }

    static List<object?> At(string separator, MarkedText text, long most, Rendering rendering)
    {
        List<object?> parts = [];
        int start = 0;
        while (parts.Count < most && text.Text.IndexOf(separator, start, StringComparison.Ordinal) is >= 0 and var end)
        {
            Add(parts, text[start..end], rendering);
            start = end + separator.Length;
        }
        Add(parts, text[start..], rendering);
        return parts;
    }

    static List<object?> FromEnd(string separator, MarkedText text, long most, Rendering rendering)
    {
        List<object?> parts = [];
        int end = text.Text.Length;
        for (int start; parts.Count < most && (start = text.Text.AsSpan(0, end).LastIndexOf(separator)) >= 0; end = start)
            Add(parts, text[(start + separator.Length)..end], rendering);
        Add(parts, text[..end], rendering);
        parts.Reverse();
        return parts;
    }

    static List<object?> AtSpaces(MarkedText text, long most, Rendering rendering)
    {
        List<object?> parts = [];
        for (int start = Next(0, isSpace: false), end; start < text.Text.Length; start = Next(end, isSpace: false))
        {
            end = parts.Count < most ? Next(start, isSpace: true) : text.Text.Length;
            Add(parts, text[start..end], rendering);
        }
        return parts;

        int Next(int place, bool isSpace)
        {
            while (place < text.Text.Length && PythonText.IsSpace(text.Text[place]) != isSpace) place++;
            return place;
        }
    }

    static bool IsLineEnd(char unit) =>
        unit is '\n' or '\r' or '\v' or '\f' or (>= '\u001c' and <= '\u001e') or '\u0085' or '\u2028' or '\u2029';

    static void Add(List<object?> parts, MarkedText part, Rendering rendering)
    {
        rendering.SpendParts(1);
        parts.Add(part);
    }
}
