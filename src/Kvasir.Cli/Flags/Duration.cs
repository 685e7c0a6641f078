using System.Globalization;
using System.Text.RegularExpressions;

namespace Kvasir.Cli.Flags;

/// <summary>Times as users type and read them: <c>90s</c>, <c>15min</c>, <c>2h</c>.</summary>
static partial class Duration
{
    static readonly Dictionary<string, double> s_seconds = new() { ["us"] = 1e-6, ["ms"] = 1e-3, ["s"] = 1, ["min"] = 60, ["h"] = 3600 };

    public static bool TryParse(string text, out TimeSpan time)
    {
        Match match = Pattern().Match(text);
        time = match.Success
            ? TimeSpan.FromSeconds(double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * s_seconds[match.Groups[2].Value])
            : default;
        return match.Success;
    }

    /// <summary>Three digits and a unit.</summary>
    public static string Text(double seconds) => Math.Abs(seconds) switch
    {
        0 => "0 s",
        < 1e-3 => Digits(seconds * 1e6, "µs"),
        < 1 => Digits(seconds * 1e3, "ms"),
        < 120 => Digits(seconds, "s"),
        < 7200 => Digits(seconds / 60, "min"),
        < 48 * 3600 => Digits(seconds / 3600, "h"),
        _ => Digits(seconds / 86_400, "days"),
    };

    static string Digits(double value, string unit) => Math.Abs(value) switch
    {
        < 9.995 => FormattableString.Invariant($"{value:0.##} {unit}"),
        < 99.95 => FormattableString.Invariant($"{value:0.#} {unit}"),
        _ => FormattableString.Invariant($"{value:N0} {unit}"),
    };

    [GeneratedRegex(@"^(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|min|h)\z")]
    private static partial Regex Pattern();
}
