namespace Kvasir.Inference.Templates.Values;

/// <summary>Whether a list or dictionary holds input, which makes the brackets and numbers around it input too.</summary>
static class Origin
{
    public static bool HasInput(object? value) => HasInput(value, new HashSet<object>(ReferenceEqualityComparer.Instance), 0);

    /// <summary>Lists that were seen before are not entered again: they may hold each other, or one of them a thousand times.</summary>
    static bool HasInput(object? value, HashSet<object> seen, int depth) => value switch
    {
        _ when depth > Limits.ValueDepth => true,
        MarkedText text => text.HasInput,
        IReadOnlyList<object?> list => seen.Add(list) && list.Any(item => HasInput(item, seen, depth + 1)),
        OrderedDictionary<object, object?> dictionary => seen.Add(dictionary)
            && dictionary.Any(entry => HasInput(entry.Key, seen, depth + 1) || HasInput(entry.Value, seen, depth + 1)),
        _ => false,
    };
}
