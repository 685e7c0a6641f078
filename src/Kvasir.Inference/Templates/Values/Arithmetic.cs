namespace Kvasir.Inference.Templates.Values;

/// <summary>Operators that calculate, as Python has them. Integers that leave 64 bits are an error.</summary>
static class Arithmetic
{
    public static object? Add(object? left, object? right) => (left, right) switch
    {
        (MarkedText a, MarkedText b) => new MarkedTextBuilder().Append(a).Append(b).ToText(),
        (List<object?> a, List<object?> b) when a.Count + (long)b.Count <= Limits.Items => (List<object?>)[.. a, .. b],
        (object?[] a, object?[] b) when a.Length + (long)b.Length <= Limits.Items => (object?[])[.. a, .. b],
        _ => Calculate("+", left, right, (a, b) => checked(a + b), (a, b) => a + b),
    };

    public static object? Subtract(object? left, object? right) =>
        Calculate("-", left, right, (a, b) => checked(a - b), (a, b) => a - b);

    public static object? Multiply(object? left, object? right) => (left, right) switch
    {
        (MarkedText or List<object?> or object?[], long or bool) => Repeat(left, (long)Numbers.Integer(right)!),
        (long or bool, MarkedText or List<object?> or object?[]) => Repeat(right, (long)Numbers.Integer(left)!),
        _ => Calculate("*", left, right, (a, b) => checked(a * b), (a, b) => a * b),
    };

    public static object? Divide(object? left, object? right) =>
        Calculate("/", left, NotZero("/", right), (a, b) => (double)a / b, (a, b) => a / b);

    /// <summary>Rounds downwards, as does the remainder, whose sign is therefore the divisor's.</summary>
    public static object? DivideToFloor(object? left, object? right) =>
        Calculate("//", left, NotZero("//", right), (a, b) => DivideToFloor(a, b), (a, b) => Math.Floor(a / b));

    public static object? Modulo(object? left, object? right) =>
        Calculate("%", left, NotZero("%", right), (a, b) => Modulo(a, b), (a, b) => a - b * Math.Floor(a / b));

    public static object? Power(object? left, object? right) =>
        Calculate("**", left, right, (a, b) => b < 0 ? Math.Pow(a, b) : (object)Power(a, b), (a, b) => Math.Pow(a, b));

    public static object? Negate(object? value) => Calculate("-", 0L, value, (_, b) => checked(-b), (_, b) => -b);

    public static object? Identity(object? value) => Calculate("+", 0L, value, (_, b) => b, (_, b) => b);

    static object? Calculate(string sign, object? left, object? right, Func<long, long, object> integers,
        Func<double, double, double> floats)
    {
        if (!Numbers.IsNumber(left) || !Numbers.IsNumber(right)) throw Unfit(sign, left, right);
        try
        {
            return Numbers.Integer(left) is { } a && Numbers.Integer(right) is { } b
                ? integers(a, b)
                : floats(Numbers.Float(left), Numbers.Float(right));
        }
        catch (OverflowException)
        {
            throw new TemplateException($"{sign}: a result of more than 64 bits, expected a smaller one");
        }
    }

    static TemplateException Unfit(string sign, object? left, object? right) => left is Undefined || right is Undefined
        ? Kind.Wrong(sign, left is Undefined ? left : right, "")
        : new TemplateException($"{sign}: {Kind.Of(left)} and {Kind.Of(right)}, expected two numbers, texts or short enough lists");

    static object? NotZero(string sign, object? divisor) => Numbers.IsNumber(divisor) && Numbers.Float(divisor) == 0
        ? throw new TemplateException($"{sign}: a divisor of 0, expected another")
        : divisor;

    static long DivideToFloor(long left, long right) => checked(left / right) - (left % right != 0 && (left < 0) != (right < 0) ? 1 : 0);

    static long Modulo(long left, long right)
    {
        long rest = right == -1 ? 0 : left % right; // the smallest integer and -1 are too much for a processor
        return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
    }

    /// <summary>By squaring, so that the exponent costs nothing.</summary>
    static long Power(long value, long exponent)
    {
        long result = 1;
        for (; exponent > 0; exponent >>= 1)
        {
            if ((exponent & 1) == 1) result = checked(result * value);
            if (exponent > 1) value = checked(value * value);
        }
        return result;
    }

    static object Repeat(object? value, long times)
    {
        long length = value is MarkedText whole ? whole.Text.Length : ((IReadOnlyList<object?>)value!).Count;
        if (times <= 0 || length == 0) times = 0;
        if (times > (value is MarkedText ? Limits.Text : Limits.Items) / Math.Max(1, length))
            throw new TemplateException($"*: {length} items {times} times, expected fewer");
        if (value is MarkedText text)
        {
            var builder = new MarkedTextBuilder();
            for (long i = 0; i < times; i++) builder.Append(text);
            return builder.ToText();
        }
        var repeated = Enumerable.Repeat((IReadOnlyList<object?>)value!, (int)times).SelectMany(items => items);
        bool isTuple = value is object?[];
        return isTuple ? repeated.ToArray() : repeated.ToList();
    }
}
