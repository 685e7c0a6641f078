using Kvasir.Server.Serving;

namespace Kvasir.Tests.Server;

/// <summary>The table of fields as docs/http-api.md has it.</summary>
static class FieldPage
{
    static readonly (Endpoints At, string Title)[]
        s_answers =
        [
            (Endpoints.Chat, "chat"), (Endpoints.Completions, "completions"), (Endpoints.Responses, "responses"),
            (Endpoints.Messages, "messages"), (Endpoints.Embeddings, "embeddings"),
        ],
        s_tokens =
        [
            (Endpoints.Tokenize, "tokenize"), (Endpoints.Detokenize, "detokenize"), (Endpoints.KvLookup, "lookup"),
            (Endpoints.KvWarm, "warm"), (Endpoints.KvPin, "pin"), (Endpoints.KvUnpin, "unpin"), (Endpoints.KvExport, "export"),
            (Endpoints.KvEvict, "evict"),
        ],
        s_llamaServer =
        [
            (Endpoints.Completion, "completion"), (Endpoints.Infill, "infill"), (Endpoints.Embedding, "embedding"),
            (Endpoints.ApplyTemplate, "apply-template"), (Endpoints.Slots, "slots"),
        ],
        s_ollama =
        [
            (Endpoints.OllamaChat, "chat"), (Endpoints.OllamaGenerate, "generate"), (Endpoints.OllamaEmbed, "embed"),
            (Endpoints.OllamaEmbeddings, "embeddings"), (Endpoints.OllamaShow, "show"),
        ];

    public static string Tables { get; } = string.Join('\n', [
        "<!-- fields: written from the table that the server checks requests by; a test prints this block when it is not true -->",
        .. Table(s_answers), "", "Tokens, and [the cache](#the-cache):", "", .. Table(s_tokens),
        "", "llama-server's own:", "", .. Table(s_llamaServer), "", "Ollama's (`/api/…`):", "", .. Table(s_ollama),
        "<!-- /fields -->",
    ]);

    static IEnumerable<string> Table((Endpoints At, string Title)[] columns) =>
    [
        $"| field | {string.Join(" | ", columns.Select(column => column.Title))} | |",
        $"|---|{string.Concat(Enumerable.Repeat(":-:|", columns.Length))}---|",
        .. FieldTable.All.Where(row => Array.Exists(columns, column => row.At.HasFlag(column.At))).GroupBy(row => row.Name)
            .Select(rows => Row([.. rows], columns)),
    ];

    static string Row(RequestField[] rows, (Endpoints At, string Title)[] columns) => $"| `{rows[0].Name}` | "
        + string.Join(" | ", columns.Select(column => rows.SingleOrDefault(row => row.At.HasFlag(column.At))?.Use switch
        {
            FieldUse.Honoured => "✓",
            FieldUse.Refused => "400",
            FieldUse.Harmless => "–",
            FieldUse.Skipped => "skip",
            _ => "",
        })) + $" | {string.Join("; ", rows.Select(Note).Where(note => note.Length > 0).Distinct())} |";

    static string Note(RequestField row) =>
        row.Neutral.Count == 0 ? row.Note : $"{row.Note} (but for {string.Join(", ", row.Neutral.Select(value => $"`{value}`"))})";
}
