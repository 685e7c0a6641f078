using System.Collections.Frozen;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>
/// Methods of lists and tuples. Transformers' sandbox forbids those that change a list; some templates were written for engines without
/// one and use them, and a list lives no longer than the run that made it.
/// </summary>
static class Lists
{
    public static FrozenDictionary<string, Function> Methods { get; } = Function.Table(
        ("append list item", call => Change(call, list => list.Add(call[1]))),
        ("extend list items", call => Change(call, list => list.AddRange([.. call.Items(1)]))),
        ("insert list index item", call => Change(call, list => list.Insert(Place(call, list), call[2]))),
        ("pop list [index]", call => Pop(call)),
        ("copy list", call => call.Items(0).ToList()),
        ("count list item", call => call.Items(0).LongCount(item => Comparison.AreEqual(item, call[1], call.Rendering))),
        ("index list item", call => Index(call)));

    static object? Change(Call call, Action<List<object?>> change)
    {
        change(call[0] as List<object?> ?? throw call.Wrong(0, "a list, because tuples do not change"));
        return null;
    }

    static int Place(Call call, List<object?> list)
    {
        long index = call.Integer(1, 0);
        call.Rendering.Spend(list.Count); // which may all move
        return (int)Math.Clamp(index < 0 ? index + list.Count : index, 0, list.Count);
    }

    static object? Pop(Call call)
    {
        List<object?> list = call[0] as List<object?> ?? throw call.Wrong(0, "a list, because tuples do not change");
        long index = call.Integer(1, -1), place = index < 0 ? index + list.Count : index;
        if (place < 0 || place >= list.Count)
            throw new TemplateException($"pop: index {index} of a list of {list.Count}, expected one within it");
        call.Rendering.Spend(list.Count - place);
        object? item = list[(int)place];
        list.RemoveAt((int)place);
        return item;
    }

    static long Index(Call call)
    {
        IReadOnlyList<object?> list = call.Items(0);
        for (int i = 0; i < list.Count; i++)
            if (Comparison.AreEqual(list[i], call[1], call.Rendering))
                return i;
        throw new TemplateException("index: an item that the list lacks, expected one that it has");
    }
}
