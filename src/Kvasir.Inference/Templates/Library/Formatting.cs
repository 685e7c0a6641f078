using System.Globalization;
using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Library;

/// <summary>Python's <c>str.format</c> with fields of the forms {}, {0} and {name}.</summary>
static class Formatting
{
    public static MarkedText Format(Call call)
    {
        MarkedText format = call.Text(0);
        string text = format.Text;
        var builder = new MarkedTextBuilder();
        int next = 0;
        for (int at = 0; at < text.Length;)
        {
            int brace = text.AsSpan(at).IndexOfAny('{', '}');
            if (brace < 0) return builder.Append(format[at..]).ToText();
            builder.Append(format[at..(at += brace)]);
            if (at + 1 < text.Length && text[at + 1] == text[at]) // doubled: the brace itself
            {
                builder.Append(format[at..(at + 1)]);
                at += 2;
                continue;
            }
            int end = text[at] == '{' ? text.IndexOf('}', at) : -1;
            if (end < 0) throw new TemplateException("format: a brace without its partner, expected pairs");
            builder.Append(PythonText.Of(Field(text[(at + 1)..end], call, ref next)));
            at = end + 1;
        }
        return builder.ToText();
    }

    static object? Field(string field, Call call, ref int next)
    {
        string number = field.Length == 0 ? (next++).ToString(CultureInfo.InvariantCulture) : field;
        if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int place) && place < call.Rest.Length)
            return call.Rest[place];
        foreach (var (name, value) in call.Named)
            if (name == field)
                return value;
        throw new TemplateException($"format: a field {Formats.Printable.Quote(field)}, expected the number or name of an argument");
    }
}
