using Kvasir.Server.Serving;

namespace Kvasir.Tests.Server;

/// <summary>The table of fields as docs/http-api.md has it.</summary>
static class FieldPage
{
    static readonly (Endpoints At, string Title)[] s_columns =
    [
        (Endpoints.Chat, "chat"), (Endpoints.Completions, "completions"), (Endpoints.Responses, "responses"),
        (Endpoints.Messages, "messages"), (Endpoints.Embeddings, "embeddings"),
    ];

    public static string Table { get; } = string.Join('\n', [
        "<!-- fields: written from the table that the server checks requests by; a test prints this block when it is not true -->",
        $"| field | {string.Join(" | ", s_columns.Select(column => column.Title))} | |",
        $"|---|{string.Concat(Enumerable.Repeat(":-:|", s_columns.Length))}---|",
        .. FieldTable.All.GroupBy(field => field.Name).Select(rows => Row([.. rows])),
        "<!-- /fields -->",
    ]);

    static string Row(RequestField[] rows) => $"| `{rows[0].Name}` | "
        + string.Join(" | ", s_columns.Select(column => rows.SingleOrDefault(row => row.At.HasFlag(column.At))?.Use switch
        {
            FieldUse.Honoured => "✓",
            FieldUse.Refused => "400",
            FieldUse.Harmless => "–",
            _ => "",
        })) + $" | {string.Join("; ", rows.Select(Note).Where(note => note.Length > 0).Distinct())} |";

    static string Note(RequestField row) =>
        row.Neutral.Count == 0 ? row.Note : $"{row.Note} (but for {string.Join(", ", row.Neutral.Select(value => $"`{value}`"))})";
}
