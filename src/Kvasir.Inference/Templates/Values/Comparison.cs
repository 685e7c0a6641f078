namespace Kvasir.Inference.Templates.Values;

/// <summary>Equality and order as Python has them. Deep comparisons pay for every item.</summary>
static class Comparison
{
    public static bool AreEqual(object? left, object? right, Rendering rendering, int depth = 0)
    {
        rendering.Spend(1);
        if (depth > Limits.ValueDepth)
            throw new TemplateException($"a comparison more than {Limits.ValueDepth} lists deep, expected fewer");
        return (left, right) switch
        {
            (MarkedText a, MarkedText b) => AreEqual(a, b, rendering),
            (long or double or bool, long or double or bool) => Numbers.Compare(left, right) == 0,
            (object?[] a, object?[] b) => AreEqual(a, b, rendering, depth),
            (List<object?> a, List<object?> b) => AreEqual(a, b, rendering, depth),
            (OrderedDictionary<object, object?> a, OrderedDictionary<object, object?> b) => AreEqual(a, b, rendering, depth),
            (Undefined, Undefined) => true,
            _ => ReferenceEquals(left, right),
        };
    }

    public static bool IsIn(object? item, object? container, Rendering rendering)
    {
        switch (container)
        {
            case MarkedText text when item is MarkedText part:
                rendering.ChargeSearch(rendering.Charge(text), part.Text);
                return text.Text.Contains(part.Text, StringComparison.Ordinal);
            case OrderedDictionary<object, object?> dictionary:
                return item is MarkedText or long or double or bool && dictionary.ContainsKey(rendering.Charge(item));
            case MarkedText:
                throw Kind.Wrong("in", item, "text, because it is looked for in text");
            default:
                return Sequences.Items(container, rendering, "in").Any(other => AreEqual(item, other, rendering));
        }
    }

    /// <summary>Less than 0, 0, or more, if the left is less than, equals, or is more than the right.</summary>
    public static int Order(object? left, object? right, Rendering rendering, int depth = 0)
    {
        rendering.Spend(1);
        switch (left, right)
        {
            case (MarkedText a, MarkedText b):
                rendering.ChargeText(Math.Min(a.Text.Length, b.Text.Length));
                return CodePoints.Compare(a.Text, b.Text);
            case (long or double or bool, long or double or bool):
                return Numbers.Compare(left, right);
            case (List<object?>, List<object?>) or (object?[], object?[]) when depth < Limits.ValueDepth:
                var (some, others) = ((IReadOnlyList<object?>)left, (IReadOnlyList<object?>)right);
                for (int i = 0; i < Math.Min(some.Count, others.Count); i++)
                    if (Order(some[i], others[i], rendering, depth + 1) is var order and not 0)
                        return order;
                return some.Count.CompareTo(others.Count);
            default:
                throw Kind.Wrong("an order", right is Undefined ? right : left, $"what can be compared with {Kind.Of(right)}");
        }
    }

    static bool AreEqual(MarkedText left, MarkedText right, Rendering rendering)
    {
        if (left.Text.Length != right.Text.Length) return false;
        rendering.Charge(left);
        return left.Text == right.Text;
    }

    static bool AreEqual(IReadOnlyList<object?> left, IReadOnlyList<object?> right, Rendering rendering, int depth)
    {
        if (left.Count != right.Count) return false;
        for (int i = 0; i < left.Count; i++)
            if (!AreEqual(left[i], right[i], rendering, depth + 1))
                return false;
        return true;
    }

    static bool AreEqual(OrderedDictionary<object, object?> left, OrderedDictionary<object, object?> right,
        Rendering rendering, int depth) =>
        left.Count == right.Count && left.All(entry =>
            right.TryGetValue(rendering.Charge(entry.Key), out object? other) && AreEqual(entry.Value, other, rendering, depth + 1));
}
