namespace Kvasir.Inference.Templates.Values;

/// <summary>What a value yields when it is walked through, and parts of it.</summary>
static class Sequences
{
    /// <summary>The items, paid for: a text's characters, a dictionary's keys, nothing of what is undefined.</summary>
    public static IReadOnlyList<object?> Items(object? value, Rendering rendering, string place)
    {
        if (Length(value) is not { } length) throw Kind.Wrong(place, value, "a list, a dictionary or text");
        rendering.Spend(length);
        if (value is MarkedText) rendering.SpendParts(length);
        return value switch
        {
            IReadOnlyList<object?> list => list,
            OrderedDictionary<object, object?> dictionary => [.. dictionary.Keys],
            MarkedText text => [.. CodePoints.Split(text)],
            _ => [],
        };
    }

    /// <summary>The number of items; null where there can be none.</summary>
    public static long? Length(object? value) => value switch
    {
        IReadOnlyList<object?> list => list.Count,
        OrderedDictionary<object, object?> dictionary => dictionary.Count,
        MarkedText text => CodePoints.Count(text.Text),
        Undefined => 0,
        _ => null,
    };

    /// <summary><c>value[start:stop:step]</c></summary>
    public static object Slice(object? value, long? start, long? stop, long? step, Rendering rendering) => value switch
    {
        MarkedText text => Slice(text, start, stop, step ?? 1, rendering),
        List<object?> list => Indices(list.Count, start, stop, step ?? 1).Select(i => list[i]).ToList(),
        object?[] tuple => Indices(tuple.Length, start, stop, step ?? 1).Select(i => tuple[i]).ToArray(),
        _ => throw Kind.Wrong("a slice", value, "a list or text"),
    };

    static MarkedText Slice(MarkedText text, long? start, long? stop, long step, Rendering rendering)
    {
        rendering.Charge(text);
        int[] starts = CodePoints.Starts(text.Text);
        List<int> kept = Indices(starts.Length - 1, start, stop, step);
        if (kept.Count == 0) return MarkedText.Empty;
        if (step == 1) return text[starts[kept[0]]..starts[kept[^1] + 1]];
        rendering.SpendParts(kept.Count);
        var builder = new MarkedTextBuilder();
        foreach (int i in kept)
            builder.Append(text[starts[i]..starts[i + 1]]);
        return builder.ToText();
    }

    static List<int> Indices(int count, long? start, long? stop, long step)
    {
        if (step == 0) throw new TemplateException("a slice: a step of 0, expected another");
        long first = Bound(start, step > 0 ? 0 : count - 1), end = Bound(stop, step > 0 ? count : -1);
        List<int> indices = [];
        step = Math.Clamp(step, -count - 1, count + 1);
        for (long i = first; step > 0 ? i < end : i > end; i += step)
            indices.Add((int)i);
        return indices;

        long Bound(long? given, long unsaid)
        {
            if (given is not { } bound) return unsaid;
            long low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
            return Math.Clamp(bound < 0 ? bound + count : bound, low, high);
        }
    }
}
