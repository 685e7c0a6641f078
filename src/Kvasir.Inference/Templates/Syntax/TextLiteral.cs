using System.Globalization;
using System.Text;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>Python's escapes in text literals; what is no escape keeps its backslash.</summary>
static class TextLiteral
{
    public static string Unescape(ReadOnlySpan<char> literal)
    {
        if (!literal.Contains('\\')) return literal.ToString();
        var text = new StringBuilder();
        for (int i = 0; i < literal.Length; i++)
        {
            if (literal[i] != '\\' || i + 1 == literal.Length) text.Append(literal[i]);
            else i += Append(text, literal[(i + 1)..]);
        }
        return text.ToString();
    }

    /// <summary>Appends what an escape means and returns its length without the backslash.</summary>
    static int Append(StringBuilder text, ReadOnlySpan<char> escape)
    {
        if (Simple(escape[0]) is { } meant)
        {
            text.Append(meant);
            return 1;
        }
        int digits = escape[0] switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0 && escape.Length > digits
            && int.TryParse(escape.Slice(1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            && code is >= 0 and <= 0x10FFFF)
        {
            if (Rune.IsValid(code)) text.Append(new Rune(code));
            else text.Append((char)code);
            return 1 + digits;
        }
        return escape[0] is >= '0' and <= '7' ? AppendOctal(text, escape) : AppendAsItIs(text, escape[0]);
    }

    static string? Simple(char escape) => escape switch
    {
        'n' => "\n",
        't' => "\t",
        'r' => "\r",
        'b' => "\b",
        'f' => "\f",
        'v' => "\v",
        'a' => "\a",
        '\n' => "",
        '\\' or '\'' or '"' => escape.ToString(),
        _ => null,
    };

    static int AppendOctal(StringBuilder text, ReadOnlySpan<char> escape)
    {
        int length = 0, code = 0;
        for (; length < Math.Min(3, escape.Length) && escape[length] is >= '0' and <= '7'; length++)
            code = code * 8 + escape[length] - '0';
        text.Append((char)code);
        return length;
    }

    static int AppendAsItIs(StringBuilder text, char escape)
    {
        text.Append('\\').Append(escape);
        return 1;
    }
}
