using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Kvasir.Formats;

namespace Kvasir.Cli.Flags;

/// <summary>
/// Numbers of tokens as users type them: <c>8192</c>, <c>8k</c>, <c>1M</c>, and several with commas. k is 1024, as in the names of models.
/// </summary>
static partial class TokenCount
{
    const long Most = 1 << 30;

    /// <summary>A parser for options that take several.</summary>
    public static int[]? ParseSeveral(ArgumentResult result)
    {
        List<int> counts = [];
        foreach (string text in result.Tokens.SelectMany(token => token.Value.Split(',')))
            if (Parse(text) is { } count)
                counts.Add(count);
            else
            {
                result.AddError($"{((OptionResult)result.Parent!).Option.Name} {Printable.Quote(text)}: expected 1 to {Most}, such as 8192 "
                    + $"or 8k, several with commas");
                return null;
            }
        return [.. counts.Distinct()];
    }

    static int? Parse(string text)
    {
        Match match = Pattern().Match(text);
        if (!match.Success)
            return null;
        long count = long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
            << (match.Groups[2].Value.ToLowerInvariant() switch { "k" => 10, "m" => 20, _ => 0 });
        return count is >= 1 and <= Most ? (int)count : null;
    }

    [GeneratedRegex(@"^(\d{1,10})([kM])?\z", RegexOptions.IgnoreCase)]
    private static partial Regex Pattern();
}
