using System.Globalization;
using System.Text;

namespace Kvasir.Formats;

/// <summary>
/// Text from an untrusted file made fit for one line on a terminal: without this, a tensor's name could move the cursor, recolour the
/// screen or fake a second line of output.
/// </summary>
public static class Printable
{
    /// <summary>Escapes what is not visible in one line and cuts after <paramref name="limit"/> characters.</summary>
    public static string Line(string text, int limit = 80)
    {
        ArgumentNullException.ThrowIfNull(text);
        var line = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (line.Length >= limit) return line.Append('…').ToString();
            if (IsVisible(rune)) line.Append(rune);
            else line.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}");
        }
        return line.ToString();
    }

    /// <summary>The same in single quotes: how messages name a key, a tensor or a value.</summary>
    public static string Quote(string text) => $"'{Line(text)}'";

    /// <summary>The same for bytes that may not be text at all.</summary>
    public static string Quote(ReadOnlySpan<byte> bytes) => Quote(Encoding.Latin1.GetString(bytes));

    // Format covers the bidirectional overrides, which would reorder the rest of the line.
    static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
