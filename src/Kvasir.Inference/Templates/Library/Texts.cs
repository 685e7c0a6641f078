using System.Collections.Frozen;
using System.Text;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Methods of texts.</summary>
static class Texts
{
    public static FrozenDictionary<string, Function> Methods { get; } = Function.Table(
        ("upper text", call => call.Text(0) is var text ? text.With(text.Text.ToUpperInvariant()) : null),
        ("lower text", call => call.Text(0) is var text ? text.With(text.Text.ToLowerInvariant()) : null),
        ("capitalize text", call => Casing.Capitalize(call.Text(0))),
        ("title text", call => Casing.Title(call.Text(0), before => !char.IsLetter(before))),
        ("strip text [chars]", call => Trimming.Strip(call.Text(0), call.OptionalText(1))),
        ("lstrip text [chars]", call => Trimming.Strip(call.Text(0), call.OptionalText(1), atEnd: false)),
        ("rstrip text [chars]", call => Trimming.Strip(call.Text(0), call.OptionalText(1), atStart: false)),
        ("removeprefix text prefix", call => Ends(call, 1, atStart: true) ? call.Text(0)[call.Text(1).Text.Length..] : call[0]),
        ("removesuffix text suffix", call => Ends(call, 1, atStart: false) ? call.Text(0)[..^call.Text(1).Text.Length] : call[0]),
        ("split text [sep] [maxsplit]", call => Splitting.Split(call)),
        ("rsplit text [sep] [maxsplit]", call => Splitting.SplitFromEnd(call)),
        ("splitlines text", call => Splitting.Lines(call.Text(0), call.Rendering)),
        ("partition text sep", call => Splitting.Partition(call, fromEnd: false)),
        ("rpartition text sep", call => Splitting.Partition(call, fromEnd: true)),
        ("join text items", call => Join(call.Text(0), call.Items(1), OnlyText)),
        ("replace text old new [count]",
            call => Replacing.Replace(call.Text(0), call.Text(1), call.Text(2), call.OptionalInteger(3), call.Rendering)),
        ("startswith text prefix", call => Ends(call, 1, atStart: true)),
        ("endswith text suffix", call => Ends(call, 1, atStart: false)),
        ("find text part", call => Find(call, (text, part) => text.IndexOf(part, StringComparison.Ordinal))),
        ("rfind text part", call => Find(call, (text, part) => text.LastIndexOf(part, StringComparison.Ordinal))),
        ("count text part", call => Count(call)),
        ("format text *", call => Formatting.Format(call)),
        ("isdigit|isdecimal|isnumeric text", call => Consists(call, Rune.IsDigit)),
        ("isalpha text", call => Consists(call, Rune.IsLetter)),
        ("isalnum text", call => Consists(call, Rune.IsLetterOrDigit)),
        ("isspace text", call => Consists(call, rune => rune.IsBmp && PythonText.IsSpace((char)rune.Value))),
        ("isupper text", call => call.Text(0).Text is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower)),
        ("islower text", call => call.Text(0).Text is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper)));

    /// <summary>The items' texts with a separator between them.</summary>
    public static MarkedText Join(MarkedText separator, IReadOnlyList<object?> items, Func<object?, MarkedText> textOf)
    {
        var builder = new MarkedTextBuilder();
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) builder.Append(separator);
            builder.Append(textOf(items[i]));
        }
        return builder.ToText();
    }

    static MarkedText OnlyText(object? item) => item as MarkedText ?? throw Kind.Wrong("join", item, "texts");

    static bool Ends(Call call, int argument, bool atStart)
    {
        string text = call.Text(0).Text;
        IEnumerable<object?> candidates = call[argument] is object?[] several ? several : [call[argument]];
        return candidates.Any(candidate => candidate is not MarkedText end ? throw call.Wrong(argument, "text or a tuple of texts")
            : atStart ? text.StartsWith(end.Text, StringComparison.Ordinal)
            : text.EndsWith(end.Text, StringComparison.Ordinal));
    }

    static long Find(Call call, Func<string, string, int> find)
    {
        MarkedText text = call.Text(0), part = call.Text(1);
        call.Rendering.ChargeSearch(text, part.Text);
        int place = find(text.Text, part.Text);
        return place < 0 ? -1 : CodePoints.Count(text.Text[..place]);
    }

    static long Count(Call call)
    {
        MarkedText text = call.Text(0), part = call.Text(1);
        if (part.Text.Length == 0) return CodePoints.Count(text.Text) + 1;
        call.Rendering.ChargeSearch(text, part.Text);
        long count = 0;
        for (int at = 0; (at = text.Text.IndexOf(part.Text, at, StringComparison.Ordinal)) >= 0; at += part.Text.Length) count++;
        return count;
    }

    static bool Consists(Call call, Func<Rune, bool> of) => call.Text(0).Text is { Length: > 0 } text && text.EnumerateRunes().All(of);
}
