using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Filters that compare items. Texts are compared without regard to case unless told otherwise.</summary>
static class Sorting
{
    public static object Sort(Call call) => Sorted(call.Items(0), Key(call, 2, 3), call.Flag(1), call.Rendering);

    public static object SortDictionary(Call call)
    {
        int by = !call.Has(2) || call.Text(2).Text == "key" ? 0 : call.Text(2).Text == "value" ? 1 : throw call.Wrong(2, "key or value");
        Func<object?, object?> key = Key(call, 1, null);
        return Sorted(Dictionaries.Items(call.Dictionary(0)), entry => key(((object?[])entry!)[by]), call.Flag(3), call.Rendering);
    }

    /// <summary>The first of those that are equal.</summary>
    public static object Unique(Call call)
    {
        Func<object?, object?> key = Key(call, 1, 2);
        var seen = new HashSet<object>(KeyComparer.Instance);
        return call.Items(0).Where(item => seen.Add(KeyComparer.Key(call.Rendering.Charge(key(item))))).ToList();
    }

    public static object? Extreme(Call call, bool largest)
    {
        IReadOnlyList<object?> items = call.Items(0);
        Func<object?, object?> key = Key(call, 1, 2);
        object? found = ListFilters.First(items);
        foreach (object? item in items.Skip(1))
            if (Comparison.Order(key(item), key(found), call.Rendering) is var order && (largest ? order > 0 : order < 0))
                found = item;
        return found;
    }

    static Func<object?, object?> Key(Call call, int caseSensitive, int? attribute)
    {
        bool isSensitive = call.Flag(caseSensitive);
        object? path = attribute is { } given ? call[given] : null;
        return item =>
        {
            object? value = path is null ? item : ListFilters.Attribute(item, path);
            return value is MarkedText text && !isSensitive
                ? MarkedText.Template(call.Rendering.Charge(text).Text.ToLowerInvariant())
                : value;
        };
    }

    static List<object?> Sorted(IEnumerable<object?> items, Func<object?, object?> key, bool reverse, Rendering rendering)
    {
        var order = Comparer<object?>.Create((left, right) => Comparison.Order(left, right, rendering));
        try
        {
            return [.. reverse ? items.OrderByDescending(key, order) : items.OrderBy(key, order)];
        }
        catch (InvalidOperationException wrapped) when (wrapped.InnerException is TemplateException refused) // how sorting passes it on
        {
            throw refused;
        }
    }
}
