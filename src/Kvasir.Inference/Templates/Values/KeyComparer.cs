namespace Kvasir.Inference.Templates.Values;

/// <summary>Keys of dictionaries: texts by their characters, numbers and booleans by their value, as in Python.</summary>
sealed class KeyComparer : IEqualityComparer<object>
{
    public static KeyComparer Instance { get; } = new();

    /// <summary>The value as a key.</summary>
    /// <exception cref="TemplateException">It is none, a list, a dictionary or the like.</exception>
    public static object Key(object? value) => value is MarkedText or long or bool or double
        ? value
        : throw Kind.Wrong("a key", value, "text, a number or a boolean");

    public static OrderedDictionary<object, object?> NewDictionary() => new(Instance);

    public new bool Equals(object? left, object? right) => object.Equals(Plain(left), Plain(right));

    public int GetHashCode(object key) => Plain(key)!.GetHashCode();

    static object? Plain(object? key) => key switch
    {
        MarkedText text => text.Text,
        bool truth => truth ? 1L : 0L,
        double number when number == Math.Floor(number) && Math.Abs(number) < 1L << 53 => (long)number,
        _ => key,
    };
}
