namespace Kvasir.Inference.Templates.Values;

/// <summary>
/// What values there are: null (none), bool, long, double, <see cref="MarkedText"/>, List&lt;object?> (a list), object?[] (a tuple),
/// OrderedDictionary&lt;object, object?>, <see cref="Undefined"/>, <see cref="ICallable"/> and <see cref="IMembers"/>.
/// </summary>
static class Kind
{
    /// <summary>A value's kind as messages name it.</summary>
    public static string Of(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long => "an integer",
        double => "a float",
        MarkedText => "text",
        List<object?> => "a list",
        object?[] => "a tuple",
        OrderedDictionary<object, object?> => "a dictionary",
        Undefined undefined => undefined.Why,
        ICallable => "a function",
        _ => "an object",
    };

    public static TemplateException Wrong(string place, object? value, string expected) => value is Undefined undefined
        ? new TemplateException(undefined.Why)
        : new TemplateException($"{place}: {Of(value)}, expected {expected}");

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool truth => truth,
        long number => number != 0,
        double number => number != 0,
        MarkedText text => text.Text.Length > 0,
        IReadOnlyCollection<object?> list => list.Count > 0,
        OrderedDictionary<object, object?> dictionary => dictionary.Count > 0,
        _ => true,
    };
}

/// <summary>A value with parentheses: a macro, a function, a method.</summary>
interface ICallable
{
    object? Call(Rendering rendering, Arguments arguments);
}

/// <summary>A value with dots that is no dictionary: a namespace, a loop.</summary>
interface IMembers
{
    /// <summary>The member's value, or an <see cref="Undefined"/>.</summary>
    object? Member(string name);
}

/// <summary>What stands between a call's parentheses.</summary>
readonly record struct Arguments(object?[] Positional, (string Name, object? Value)[] Named)
{
    public static Arguments None { get; } = new([], []);

    public Arguments After(object? first) => this with { Positional = [first, .. Positional] };
}
