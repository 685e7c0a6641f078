using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Kvasir.Formats;

namespace Kvasir.Cli.Flags;

/// <summary>
/// Sizes as users type them: <c>8GiB</c>, <c>512MiB</c>, or a number of bytes. Units are powers of two; a bare GB is refused,
/// since nobody knows which it is.
/// </summary>
static partial class ByteSize
{
    static readonly string[] s_units = ["", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>A parser for options.</summary>
    public static long? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (Parse(text) is { } bytes)
            return bytes;
        result.AddError($"{Printable.Quote(text)} is no size: expected a number with KiB, MiB, GiB or TiB behind it, such as 8GiB");
        return null;
    }

    /// <summary>The bytes that a text says; null when it is no size.</summary>
    public static long? Parse(string text)
    {
        Match match = Pattern().Match(text);
        int unit = match.Success
            ? Array.FindIndex(s_units, known => known.Equals(match.Groups[2].Value, StringComparison.OrdinalIgnoreCase))
            : -1;
        return unit >= 0
            && double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * Math.Pow(1024, unit) is < long.MaxValue and var bytes
            ? (long)bytes
            : null;
    }

    /// <summary>A size as people read it.</summary>
    public static string Text(long bytes) => bytes switch
    {
        >= 1L << 40 => $"{bytes / (double)(1L << 40):N2} TiB",
        >= 1L << 30 => $"{bytes / (double)(1L << 30):N2} GiB",
        >= 1L << 20 => $"{bytes / (double)(1L << 20):N1} MiB",
        >= 1L << 10 => $"{bytes / (double)(1L << 10):N1} KiB",
        _ => $"{bytes:N0} bytes",
    };

    [GeneratedRegex(@"^(\d{1,18}(?:\.\d{1,9})?)([KMGT]iB)?\z", RegexOptions.IgnoreCase)]
    private static partial Regex Pattern();
}
