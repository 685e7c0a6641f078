using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Formats;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Accounting;

/// <summary>
/// What a server says while it serves: lines for people, or JSON objects for programs. Counts and names, never what was asked or answered.
/// </summary>
/// <param name="write">Takes each line; null for nobody.</param>
/// <param name="isJson">Whether lines are JSON objects.</param>
/// <param name="hasRequests">Whether each request has a line.</param>
sealed class ServerLog(Action<string>? write, bool isJson, bool hasRequests)
{
    /// <summary>A request is over.</summary>
    /// <param name="record">What is known of it.</param>
    /// <param name="reused">Tokens of its prompt that were found.</param>
    /// <param name="principal">Who asked.</param>
    public void Request(RequestRecord record, int reused, string principal)
    {
        if (!hasRequests)
            return;
        if (isJson)
            Write(new LoggedRequest("request", record.Id, record.Endpoint, record.Status, record.Time,
                record.PromptTokens, reused, record.CompletionTokens,
                record.QueueS, record.TtftS, record.DurationS, principal, Policy(record)));
        else
            write?.Invoke($"{record.Endpoint} {record.Status} prompt {record.PromptTokens:N0} (reused {reused:N0}{Through(record)}) completion {record.CompletionTokens:N0} "
                + $"queue {record.QueueS:F3} s ttft {record.TtftS:F3} s total {record.DurationS:F3} s for {principal}");
    }

    static string? Policy(RequestRecord record) => record.Kvasir?.Retention is { WhyExact: null, Policy: var policy } ? policy : null;

    static string Through(RequestRecord record) => Policy(record) is { } policy ? $", through {policy}" : "";

    /// <summary>A request failed for a reason that is none of its client's.</summary>
    public void Failure(HttpRequest request, string reason)
    {
        string path = Printable.Line(request.Path, 100);
        if (isJson)
            Write(new LoggedFailure("error", request.Method, path, reason));
        else
            write?.Invoke($"error {request.Method} {path}: {reason}");
    }

    /// <summary>Something that an operator should know.</summary>
    public void Note(string text)
    {
        if (isJson)
            Write(new LoggedNote("note", text));
        else
            write?.Invoke(text);
    }

    void Write<T>(T line) => write?.Invoke(JsonSerializer.Serialize(line, typeof(T), LogJson.Wire));
}

/// <summary>A request that is over, in a log for programs.</summary>
sealed record LoggedRequest(
    string Event, string Id, string Endpoint, string Status, double Time, int PromptTokens, int ReusedTokens, int CompletionTokens,
    double QueueS, double TtftS, double DurationS, string Principal,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? KvRetention);

/// <summary>A request that failed inside the server.</summary>
sealed record LoggedFailure(string Event, string Method, string Path, string Error);

/// <summary>A line for operators.</summary>
sealed record LoggedNote(string Event, string Text);

/// <summary>All that the log writes as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LoggedRequest))]
[JsonSerializable(typeof(LoggedFailure))]
[JsonSerializable(typeof(LoggedNote))]
sealed partial class LogJson : JsonSerializerContext
{
    public static LogJson Wire { get; } = new(Http.Wire.Options());
}
