using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Kvasir.Formats;

namespace Kvasir.Cli.Flags;

/// <summary>
/// Operations per second as users type them: <c>1e12</c>, <c>400T</c>. Units are powers of ten, as everybody's are for this.
/// </summary>
static partial class OperationRate
{
    /// <summary>A parser for options.</summary>
    public static double? Parse(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        Match match = Pattern().Match(text);
        double rate = match.Success ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * Unit(match.Groups[2].Value) : 0;
        if (rate is > 0 and < 1e30)
            return rate;
        result.AddError(
            $"{((OptionResult)result.Parent!).Option.Name} {Printable.Quote(text)}: expected operations per second, such as 400T or 1e12");
        return null;
    }

    static double Unit(string letter) => letter.ToUpperInvariant() switch { "G" => 1e9, "T" => 1e12, "P" => 1e15, _ => 1 };

    [GeneratedRegex(@"^(\d{1,18}(?:\.\d{1,9})?(?:e\d{1,2})?)([GTP])?\z", RegexOptions.IgnoreCase)]
    private static partial Regex Pattern();
}
