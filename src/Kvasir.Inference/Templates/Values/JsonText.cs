using System.Globalization;

namespace Kvasir.Inference.Templates.Values;

/// <summary>Values as Python's <c>json.dumps</c> writes them, which is how transformers defines <c>tojson</c>.</summary>
sealed class JsonText
{
    readonly MarkedTextBuilder _builder = new();
    readonly Layout _layout;
    readonly bool _isInput; // of what is not the text of a value: brackets, commas, numbers

    JsonText(Layout layout, bool isInput) => (_layout, _isInput) = (layout, isInput);

    /// <summary>How the text is laid out; an indent of null keeps it on one line.</summary>
    public readonly record struct Layout(string? Indent, string Comma, string Colon, bool AsciiOnly, bool SortKeys);

    public static MarkedText Of(object? value, Layout layout)
    {
        var json = new JsonText(layout, Origin.HasInput(value));
        json.Write(value, 0);
        return json._builder.ToText();
    }

    void Write(object? value, int depth)
    {
        if (depth > Limits.ValueDepth) throw new TemplateException($"tojson: lists more than {Limits.ValueDepth} deep, expected fewer");
        switch (value)
        {
            case MarkedText text: Quote(text); break;
            case IReadOnlyList<object?> list: WriteList(list, depth); break;
            case OrderedDictionary<object, object?> dictionary: WriteDictionary(dictionary, depth); break;
            default: Punctuate(Scalar(value)); break;
        }
    }

    static string Scalar(object? value) => value switch
    {
        null => "null",
        bool truth => truth ? "true" : "false",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number when double.IsNaN(number) => "NaN",
        double number when double.IsInfinity(number) => number > 0 ? "Infinity" : "-Infinity",
        double number => Numbers.Print(number),
        _ => throw Kind.Wrong("tojson", value, "text, a number, a boolean, none, a list or a dictionary"),
    };

    void WriteList(IReadOnlyList<object?> list, int depth)
    {
        Punctuate("[");
        for (int i = 0; i < list.Count; i++)
        {
            Separate(i, depth + 1);
            Write(list[i], depth + 1);
        }
        Close(list.Count, depth, "]");
    }

    void WriteDictionary(OrderedDictionary<object, object?> dictionary, int depth)
    {
        Punctuate("{");
        IEnumerable<KeyValuePair<object, object?>> entries = dictionary;
        if (_layout.SortKeys) entries = entries.OrderBy(entry => KeyText(entry.Key).Text, Comparer<string>.Create(CodePoints.Compare));
        int i = 0;
        foreach (var (key, value) in entries)
        {
            Separate(i++, depth + 1);
            Quote(KeyText(key));
            Punctuate(_layout.Colon);
            Write(value, depth + 1);
        }
        Close(i, depth, "}");
    }

    static MarkedText KeyText(object key) => key as MarkedText ?? MarkedText.Template(Scalar(key));

    void Separate(int index, int depth)
    {
        if (index > 0) Punctuate(_layout.Comma);
        BreakLine(depth);
    }

    void Close(int count, int depth, string bracket)
    {
        if (count > 0) BreakLine(depth);
        Punctuate(bracket);
    }

    void BreakLine(int depth)
    {
        if (_layout.Indent is not { } indent) return;
        Punctuate("\n");
        for (int i = 0; i < depth; i++) Punctuate(indent);
    }

    void Quote(MarkedText text)
    {
        Punctuate("\"");
        foreach (PromptSegment segment in text.Segments)
            foreach (char unit in segment.Text)
                _builder.Append(Escape(unit) is { } escaped ? escaped : [unit], segment.IsInput);
        Punctuate("\"");
    }

    string? Escape(char unit) => unit switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\b' => "\\b",
        '\f' => "\\f",
        < ' ' => $"\\u{(int)unit:x4}",
        > '~' when _layout.AsciiOnly => $"\\u{(int)unit:x4}",
        _ => null,
    };

    void Punctuate(string text) => _builder.Append(text, _isInput);
}
