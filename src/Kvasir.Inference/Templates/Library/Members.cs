using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>What stands behind a dot or between square brackets.</summary>
static class Members
{
    /// <summary><c>value.name</c>: methods come before a dictionary's entries.</summary>
    public static object? Attribute(object? value, string name) => value switch
    {
        Undefined undefined => throw new TemplateException(undefined.Why),
        IMembers members => members.Member(name),
        _ => Methods.Find(value, name) ?? Entry(value, MarkedText.Template(name)),
    };

    /// <summary><c>value[key]</c>: a dictionary's entries come before methods.</summary>
    public static object? Item(object? value, object? key) => (value, key) switch
    {
        (Undefined undefined, _) => throw new TemplateException(undefined.Why),
        (IReadOnlyList<object?> list, long index) => At(list.Count, index) is { } at ? list[at] : Undefined.Member(value, index),
        (MarkedText text, long index) => Character(text, index),
        (IMembers members, MarkedText name) => members.Member(name.Text),
        (_, MarkedText name) when Entry(value, name) is Undefined missing => (object?)Methods.Find(value, name.Text) ?? missing,
        _ => Entry(value, key),
    };

    static object? Entry(object? value, object? key) =>
        value is OrderedDictionary<object, object?> dictionary && key is MarkedText or long or double or bool
            && dictionary.TryGetValue(key, out object? entry)
            ? entry
            : Undefined.Member(value, key);

    static object Character(MarkedText text, long index)
    {
        int[] starts = CodePoints.Starts(text.Text);
        return At(starts.Length - 1, index) is { } at ? text[starts[at]..starts[at + 1]] : Undefined.Member(text, index);
    }

    static int? At(int count, long index)
    {
        long at = index < 0 ? index + count : index;
        return at >= 0 && at < count ? (int)at : null;
    }
}
