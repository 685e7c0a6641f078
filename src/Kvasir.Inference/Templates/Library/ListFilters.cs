using System.Globalization;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Filters that pick from lists or change their items. Where Jinja yields generators, these yield lists.</summary>
static class ListFilters
{
    public static object? First(IReadOnlyList<object?> items) => items.Count > 0
        ? items[0]
        : new Undefined("there is no first or last item");

    public static object? Reverse(Call call)
    {
        List<object?> reversed = [.. call.Items(0).Reverse()];
        return call[0] is MarkedText ? Texts.Join(MarkedText.Empty, reversed, item => (MarkedText)item!) : reversed;
    }

    /// <summary>Applies the filter that the first argument names, or takes the attribute that a named argument names.</summary>
    public static object Map(Call call)
    {
        IReadOnlyList<object?> items = Items(call);
        if (Named(call, "attribute") is { } attribute)
            return items.Select(item => Attribute(item, attribute))
                .Select(value => value is Undefined ? Named(call, "default") ?? value : value).ToList();
        Function filter = Filters.Find(Name(call, 0, "a filter's name or an attribute"));
        return items.Select(item => filter.Call(call.Rendering, call.RestFrom(1).After(item))).ToList();
    }

    public static object Select(Call call, bool wanted) =>
        Items(call).Where(item => Passes(item, call) == wanted).ToList();

    public static object SelectByAttribute(Call call, bool wanted) =>
        Items(call).Where(item => Passes(Attribute(item, call[1]), call) == wanted).ToList();

    /// <summary>The items, or of each the attribute that an argument names.</summary>
    public static IReadOnlyList<object?> Attributes(Call call, int argument) => call[argument] is { } attribute
        ? [.. call.Items(0).Select(item => Attribute(item, attribute))]
        : call.Items(0);

    /// <summary>Follows a path of names and numbers with dots between them.</summary>
    public static object? Attribute(object? item, object? path)
    {
        if (path is long) return Members.Item(item, path);
        if (path is not MarkedText text) throw Kind.Wrong("an attribute", path, "a name or a number");
        foreach (string part in text.Text.Split('.'))
            item = Members.Item(item, long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
                ? index
                : MarkedText.Template(part));
        return item;
    }

    /// <summary>None, zero and the like count as empty lists here.</summary>
    static IReadOnlyList<object?> Items(Call call) => Kind.IsTrue(call[0]) ? call.Items(0) : [];

    /// <summary>Whether the test that an argument names holds, or the item is true where none is named.</summary>
    static bool Passes(object? item, Call call) => call.Rest.Length == 0
        ? Kind.IsTrue(item)
        : Kind.IsTrue(Tests.Find(Name(call, 0, "a test's name"))
            .Call(call.Rendering, call.RestFrom(1).After(item)));

    static string Name(Call call, int place, string expected) => place < call.Rest.Length && call.Rest[place] is MarkedText name
        ? name.Text
        : throw new TemplateException($"no name, expected {expected}");

    static object? Named(Call call, string name) => call.Named.FirstOrDefault(argument => argument.Name == name).Value;
}
