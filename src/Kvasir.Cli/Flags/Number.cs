using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Kvasir.Cli.Flags;

/// <summary>Reads the numbers of flags, since the parser's own message names a type of .NET instead of what to type.</summary>
static class Number
{
    public static T Parse<T>(ArgumentResult result) where T : struct, INumber<T>
    {
        string text = result.Tokens[^1].Value;
        if (T.TryParse(text, CultureInfo.InvariantCulture, out T value))
            return value;
        string flag = result.Parent is OptionResult option ? option.Option.Name : result.Argument.Name;
        result.AddError($"{flag} {text}: expected {Kind<T>()}");
        return default;
    }

    /// <summary>
    /// Reads whole numbers of a range. A validator of the verb would be the wrong place: it is asked before a flag's own mistake is told.
    /// </summary>
    public static Func<ArgumentResult, int> ParseWithin(int least, int most) => result =>
    {
        if (!int.TryParse(result.Tokens[^1].Value, CultureInfo.InvariantCulture, out int value))
            return Parse<int>(result); // says so
        if (value < least || value > most)
            result.AddError($"{((OptionResult)result.Parent!).Option.Name} {value}: expected {least} to {most}");
        return value;
    };

    /// <summary>The same for flags that may be left out.</summary>
    public static Func<ArgumentResult, int?> ParseOptionalWithin(int least, int most) => result => ParseWithin(least, most)(result);

    /// <summary>Reads numbers whose range somebody else knows, and says it in his words.</summary>
    public static Func<ArgumentResult, T> ParseChecked<T>(Action<T> check) where T : struct, INumber<T> => result =>
    {
        if (!T.TryParse(result.Tokens[^1].Value, CultureInfo.InvariantCulture, out T value))
            return Parse<T>(result); // says so
        try
        {
            check(value);
        }
        catch (ArgumentException e)
        {
            result.AddError(e.Message);
        }
        return value;
    };

    public static T? ParseOptional<T>(ArgumentResult result) where T : struct, INumber<T> => Parse<T>(result);

    static string Kind<T>() =>
        typeof(T) == typeof(float) ? "a number" :
        typeof(T) == typeof(int) ? $"a whole number of at most {int.MaxValue}" :
        "a whole number from 0";
}
