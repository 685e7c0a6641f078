using System.Globalization;
using System.Text;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Python's <c>strftime</c> in the C locale.</summary>
static class TimeFormat
{
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            bool isDirective = format[i] == '%' && i + 1 < format.Length;
            if (!isDirective) text.Append(format[i]);
            else if (format[i + 1] == '-' && i + 2 < format.Length) text.Append(Unpadded(Directive(time, format[i += 2])));
            else text.Append(Directive(time, format[++i]));
        }
        return text.ToString();
    }

    static string Unpadded(string number) => number.TrimStart('0') is { Length: > 0 } rest ? rest : "0";

    static string Directive(DateTimeOffset time, char directive) => directive switch
    {
        'A' => Net(time, "dddd"),
        'a' => Net(time, "ddd"),
        'B' => Net(time, "MMMM"),
        'b' or 'h' => Net(time, "MMM"),
        'c' => $"{Net(time, "ddd MMM")} {time.Day,2} {Net(time, "HH:mm:ss yyyy")}",
        'D' or 'x' => Net(time, "MM/dd/yy"),
        'd' => Net(time, "dd"),
        'e' => $"{time.Day,2}",
        'F' => Net(time, "yyyy-MM-dd"),
        'f' => Net(time, "ffffff"),
        'H' => Net(time, "HH"),
        'I' => Net(time, "hh"),
        'j' => $"{time.DayOfYear:000}",
        'M' => Net(time, "mm"),
        'm' => Net(time, "MM"),
        'n' => "\n",
        'p' => Net(time, "tt"),
        'R' => Net(time, "HH:mm"),
        'S' => Net(time, "ss"),
        'T' or 'X' => Net(time, "HH:mm:ss"),
        't' => "\t",
        'u' => $"{((int)time.DayOfWeek + 6) % 7 + 1}",
        'w' => $"{(int)time.DayOfWeek}",
        'Y' => Net(time, "yyyy"),
        'y' => Net(time, "yy"),
        'Z' or 'z' => "", // transformers' clock has no time zone
        '%' => "%",
        _ => $"%{directive}",
    };

    static string Net(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
