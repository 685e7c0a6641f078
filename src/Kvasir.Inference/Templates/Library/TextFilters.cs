using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Filters that make text.</summary>
static class TextFilters
{
    /// <summary>What the value prints as, because filters of texts take anything.</summary>
    public static MarkedText Subject(Call call) => call.Rendering.Charge(PythonText.Of(call[0]));

    /// <summary>The method of texts that has the filter's name.</summary>
    public static object? Apply(string method, Call call) =>
        Texts.Methods[method].Call(call.Rendering, new Arguments([PythonText.Of(call[0])], []));

    public static MarkedText Replace(Call call) =>
        Replacing.Replace(Subject(call), PythonText.Of(call[1]), PythonText.Of(call[2]), call.OptionalInteger(3), call.Rendering);

    public static MarkedText Escape(MarkedText text, Rendering rendering)
    {
        rendering.Charge(text);
        var builder = new MarkedTextBuilder();
        foreach (PromptSegment segment in text.Segments)
            builder.Append(
                segment.Text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
                    .Replace(">", "&gt;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal)
                    .Replace("\"", "&#34;", StringComparison.Ordinal),
                segment.IsInput);
        return builder.ToText();
    }

    public static MarkedText ToJson(Call call)
    {
        string? indent = call[2] is MarkedText text ? text.Text : call[2] is null ? null : new string(' ', Width(call, 2, 0));
        (string comma, string colon) = (indent is null ? ", " : ",", ": ");
        if (call[3] is IReadOnlyList<object?> separators)
        {
            if (separators is not [MarkedText first, MarkedText second]) throw call.Wrong(3, "two texts");
            (comma, colon) = (first.Text, second.Text);
        }
        return JsonText.Of(call[0], new JsonText.Layout(indent, comma, colon, call.Flag(1), call.Flag(4)));
    }

    /// <summary>The lines, each but the first and those that are empty behind spaces or a text.</summary>
    public static MarkedText Indent(Call call)
    {
        MarkedText text = Subject(call);
        MarkedText indent = call[1] as MarkedText ?? MarkedText.Template(new string(' ', Width(call, 1, 4)));
        List<object?> lines = Splitting.Lines(text, call.Rendering);
        if (text.Text.Length == 0 || text.Text.EndsWith('\n')) lines.Add(MarkedText.Empty);
        var builder = new MarkedTextBuilder();
        for (int i = 0; i < lines.Count; i++)
        {
            if (i > 0) builder.Append("\n", isInput: false);
            var line = (MarkedText)lines[i]!;
            bool isIndented = i == 0 ? call.Flag(2) : line.Text.Length > 0 || call.Flag(3);
            if (isIndented) builder.Append(indent);
            builder.Append(line);
        }
        return builder.ToText();
    }

    public static MarkedText Join(Call call)
    {
        MarkedText separator = call.Has(1) ? PythonText.Of(call[1]) : MarkedText.Empty;
        return Texts.Join(separator, ListFilters.Attributes(call, 2), PythonText.Of);
    }

    static int Width(Call call, int argument, int unsaid) => call.Integer(argument, unsaid) is var width && width <= Limits.Indent
        ? (int)Math.Max(0, width)
        : throw new TemplateException($"an indentation of {width} spaces, expected {Limits.Indent} at most");
}
