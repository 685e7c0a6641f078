using System.Net;
using System.Text;
using Kvasir.Formats;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>Pieces of a page. What comes from outside is escaped here.</summary>
static class HtmlText
{
    /// <summary>Text of anybody's, as text of an element or an attribute.</summary>
    public static string Escape(string text) => WebUtility.HtmlEncode(Printable.Line(text, 400));

    /// <summary>A table; columns whose names begin with ! are numbers. Cells are escaped.</summary>
    public static string Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, int best = -1)
    {
        var html = new StringBuilder("<div class=\"card\"><table><thead><tr>");
        foreach (string column in columns)
            html.Append(column[0] == '!'
                ? $"<th scope=\"col\">{Escape(column[1..])}</th>"
                : $"<th scope=\"col\" class=\"name\">{Escape(column)}</th>");
        html.Append("</tr></thead><tbody>");
        int number = 0;
        foreach (IReadOnlyList<string> row in rows)
        {
            html.Append(number++ == best ? "<tr class=\"best\">" : "<tr>");
            foreach ((string column, string cell) in columns.Zip(row))
                html.Append(column[0] == '!' ? $"<td>{Escape(cell)}</td>" : $"<td class=\"name\">{Escape(cell)}</td>");
            html.Append("</tr>");
        }
        return html.Append("</tbody></table></div>").ToString();
    }

    /// <summary>Words and what they mean.</summary>
    public static string Definitions(IEnumerable<(string Word, string Meaning)> words) =>
        $"<dl>{string.Concat(words.Select(word => $"<dt>{Escape(word.Word)}</dt><dd>{Escape(word.Meaning)}</dd>"))}</dl>";

    public static string Section(string title, string text, string content) =>
        $"<section><h2>{Escape(title)}</h2><p>{Escape(text)}</p>{content}</section>";

    /// <summary>A plot with what its colours mean.</summary>
    public static string Figure(IEnumerable<(string Colour, string Name)> legend, string svg) =>
        $"<figure>{Legend(legend)}<div class=\"scroll\">{svg}</div></figure>";

    /// <summary>Colours and names; an empty colour is a dashed line.</summary>
    public static string Legend(IEnumerable<(string Colour, string Name)> entries) =>
        $"<ul class=\"legend\">{string.Concat(entries.Select(entry => $"<li>{Swatch(entry.Colour)}{Escape(entry.Name)}</li>"))}</ul>";

    static string Swatch(string colour) => colour.Length == 0 ? "<i class=\"rule\"></i>" : $"<i style=\"background:{colour}\"></i>";
}
