using System.Globalization;
using System.Text;

namespace Kvasir.Inference.Templates.Values;

/// <summary>Values as Python's <c>str()</c> and <c>repr()</c> write them.</summary>
static class PythonText
{
    public static bool IsSpace(char unit) => char.IsWhiteSpace(unit) || unit is >= '\u001c' and <= '\u001f';

    public static string Strip(string text)
    {
        int start = 0, end = text.Length;
        while (start < end && IsSpace(text[start])) start++;
        while (end > start && IsSpace(text[end - 1])) end--;
        return text[start..end];
    }

    /// <summary><c>str(value)</c>: what printing it writes.</summary>
    public static MarkedText Of(object? value)
    {
        if (value is MarkedText text) return text;
        if (Scalar(value) is { } word) return MarkedText.Template(word);
        var builder = new MarkedTextBuilder();
        Represent(value, builder, Origin.HasInput(value), 0);
        return builder.ToText();
    }

    static string? Scalar(object? value) => value switch
    {
        null => "None",
        bool truth => truth ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => Numbers.Print(number),
        Undefined => "",
        IReadOnlyList<object?> or OrderedDictionary<object, object?> => null,
        _ => throw Kind.Wrong("printing", value, "text, a number, a list or a dictionary"),
    };

    static void Represent(object? value, MarkedTextBuilder builder, bool isInput, int depth)
    {
        if (depth > Limits.ValueDepth) throw new TemplateException($"lists more than {Limits.ValueDepth} deep, expected fewer");
        switch (value)
        {
            case MarkedText text:
                Quote(text, builder, isInput);
                break;
            case IReadOnlyList<object?> list:
                builder.Append(list is object?[]? "(" : "[", isInput);
                for (int i = 0; i < list.Count; i++)
                {
                    if (i > 0) builder.Append(", ", isInput);
                    Represent(list[i], builder, isInput, depth + 1);
                }
                builder.Append(list is not object?[]? "]" : list.Count == 1 ? ",)" : ")", isInput);
                break;
            case OrderedDictionary<object, object?> dictionary:
                builder.Append("{", isInput);
                for (int i = 0; i < dictionary.Count; i++)
                {
                    if (i > 0) builder.Append(", ", isInput);
                    Represent(dictionary.GetAt(i).Key, builder, isInput, depth + 1);
                    builder.Append(": ", isInput);
                    Represent(dictionary.GetAt(i).Value, builder, isInput, depth + 1);
                }
                builder.Append("}", isInput);
                break;
            default:
                builder.Append(value is Undefined ? "Undefined" : Scalar(value), isInput);
                break;
        }
    }

    static void Quote(MarkedText text, MarkedTextBuilder builder, bool isInput)
    {
        char quote = text.Text.Contains('\'') && !text.Text.Contains('"') ? '"' : '\'';
        builder.Append([quote], isInput);
        foreach (PromptSegment segment in text.Segments)
            foreach (Rune rune in segment.Text.EnumerateRunes())
                builder.Append(Escape(rune, quote), segment.IsInput);
        builder.Append([quote], isInput);
    }

    static string Escape(Rune rune, char quote) => rune.Value switch
    {
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ when rune.Value == quote => $"\\{quote}",
        _ when rune.Value == ' ' || IsPrintable(rune) => rune.ToString(),
        < 0x100 => $"\\x{rune.Value:x2}",
        < 0x10000 => $"\\u{rune.Value:x4}",
        _ => $"\\U{rune.Value:x8}",
    };

    static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
