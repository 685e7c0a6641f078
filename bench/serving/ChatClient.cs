using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Kvasir.Serving;

/// <summary>One message of a chat.</summary>
readonly record struct Message(string Role, string Content);

/// <summary>What became of a question.</summary>
sealed record Answer
{
    /// <summary>The n-th question of its chat, from 0.</summary>
    public int Turn { get; init; }

    public string Text { get; init; } = "";

    /// <summary>From sending the question to the first text; null if none came.</summary>
    public double? FirstTokenMs { get; init; }

    /// <summary>Between one text and the next, in milliseconds.</summary>
    public IReadOnlyList<double> GapsMs { get; init; } = [];

    public TokenUsage? Usage { get; init; }

    /// <summary>What went wrong; null for a whole answer and for one that was left on purpose.</summary>
    public string? Error { get; init; }
}

/// <summary>Asks a server for answers of a fixed length, greedily, and times them as they stream.</summary>
sealed class ChatClient(HttpClient http, string model, int maxTokens)
{
    static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    /// <summary>Asks, and reads the answer to its end. Whatever goes wrong is in the answer, also that the time is up.</summary>
    /// <param name="messages">The chat so far.</param>
    /// <param name="turn">See <see cref="Answer.Turn"/>.</param>
    /// <param name="leaveAfter">Leaves in mid-stream after so many pieces of text.</param>
    /// <param name="cancellation">The time is up.</param>
    public async Task<Answer> AskAsync(IReadOnlyList<Message> messages, int turn = 0, int leaveAfter = int.MaxValue,
        CancellationToken cancellation = default)
    {
        AnswerReader reader = new(turn, Stopwatch.GetTimestamp());
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, "v1/chat/completions") { Content = Body(messages) };
            // llama-server closes after a stream, although it announces to keep: a next question there may be lost
            request.Headers.ConnectionClose = true;
            using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (!response.IsSuccessStatusCode)
                return reader.Finish($"HTTP {(int)response.StatusCode}: {await BeginningAsync(response, cancellation)}");
            await using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
            return reader.Finish(await reader.ReadAsync(new EventStream(stream), leaveAfter, cancellation));
        }
        catch (OperationCanceledException)
        {
            return reader.Finish("the time was up");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException)
        {
            return reader.Finish(e.GetBaseException().Message); // the cause: "an error occurred while sending" says nothing
        }
    }

    StringContent Body(IReadOnlyList<Message> messages) => new(JsonSerializer.Serialize(new
    {
        Model = model,
        Messages = messages,
        MaxTokens = maxTokens,
        Temperature = 0,
        IgnoreEos = true, // no part of OpenAI's API, but llama.cpp, vLLM and others have it: all servers do the same work
        Stream = true,
        StreamOptions = new { IncludeUsage = true },
    }, s_json), Encoding.UTF8, "application/json");

    /// <summary>The first line or so of what a server says about its refusal.</summary>
    static async Task<string> BeginningAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        byte[] bytes = new byte[300];
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
        int read = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellation);
        return Encoding.UTF8.GetString(bytes, 0, read).ReplaceLineEndings(" ");
    }
}
