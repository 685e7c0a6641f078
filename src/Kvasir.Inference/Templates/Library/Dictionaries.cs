using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Methods of dictionaries.</summary>
static class Dictionaries
{
    public static FrozenDictionary<string, Function> Methods { get; } = Function.Table(
        ("get dictionary key [default]", call => Subject(call).TryGetValue(Key(call), out object? value) ? value : call[2]),
        ("keys dictionary", call => call.Items(0).ToList()),
        ("values dictionary", call => call.Dictionary(0).Values.ToList()),
        ("items dictionary", call => Items(call.Dictionary(0))),
        ("copy dictionary", call => Copy(call)),
        ("update dictionary *", call => Update(call)),
        ("setdefault dictionary key [default]", call => SetDefault(call)),
        ("pop dictionary key [default]", call => Pop(call)));

    /// <summary>Pairs of keys and values.</summary>
    public static List<object?> Items(OrderedDictionary<object, object?> dictionary) =>
        [.. dictionary.Select(entry => (object?[])[entry.Key, entry.Value])];

    /// <summary>Adds the entries of a dictionary, or a list of pairs.</summary>
    public static void Add(OrderedDictionary<object, object?> dictionary, object? source, Call call)
    {
        if (source is OrderedDictionary<object, object?> other)
        {
            call.Rendering.Spend(other.Count);
            if (ReferenceEquals(dictionary, other)) return;
            foreach (var (key, value) in other) dictionary[key] = value;
            return;
        }
        foreach (object? pair in Sequences.Items(source, call.Rendering, "a dictionary"))
        {
            if (pair is not IReadOnlyList<object?> { Count: 2 } entry) throw Kind.Wrong("a dictionary's entry", pair, "a pair");
            dictionary[KeyComparer.Key(entry[0])] = entry[1];
        }
    }

    static OrderedDictionary<object, object?> Subject(Call call) => (OrderedDictionary<object, object?>)call[0]!;

    static object Key(Call call) => KeyComparer.Key(call.Rendering.Charge(call[1]));

    static OrderedDictionary<object, object?> Copy(Call call)
    {
        var copy = KeyComparer.NewDictionary();
        Add(copy, call[0], call);
        return copy;
    }

    static object? Update(Call call)
    {
        foreach (object? source in call.Rest) Add(Subject(call), source, call);
        foreach (var (name, value) in call.Named) Subject(call)[MarkedText.Template(name)] = value;
        return null;
    }

    static object? SetDefault(Call call)
    {
        if (!Subject(call).TryGetValue(Key(call), out object? value))
            Subject(call)[Key(call)] = value = call[2];
        return value;
    }

    static object? Pop(Call call)
    {
        if (call.Dictionary(0).Remove(Key(call), out object? value)) return value;
        return call.Has(2) ? call[2] : throw new TemplateException("pop: a key that the dictionary lacks, expected one that it has");
    }
}
