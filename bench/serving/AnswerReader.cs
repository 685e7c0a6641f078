using System.Diagnostics;
using System.Text;

namespace Kvasir.Serving;

/// <summary>Puts a streamed answer together and notes when each piece of text came.</summary>
sealed class AnswerReader(int turn, long askedAt)
{
    readonly StringBuilder _text = new();
    readonly List<double> _gaps = [];
    double? _firstTokenMs;
    long _lastTextAt = askedAt;
    TokenUsage? _usage;

    /// <summary>Reads to the end, or until so many pieces of text have come; what went wrong, null for nothing.</summary>
    public async Task<string?> ReadAsync(EventStream events, int leaveAfter, CancellationToken cancellation)
    {
        for (int pieces = 0; pieces < leaveAfter;)
        {
            string? data = await events.NextAsync(cancellation);
            if (data is null)
                return "the stream ended before [DONE]";
            if (data == "[DONE]")
                return _usage is null ? "the stream told no usage" : _firstTokenMs is null ? "the answer has no text" : null;
            ChatChunk chunk = ChatChunk.Parse(data);
            if (chunk.Error is not null)
                return chunk.Error;
            _usage = chunk.Usage ?? _usage;
            if (chunk.Text.Length > 0)
            {
                Take(chunk.Text, events.ReceivedAt);
                pieces++;
            }
        }
        return null;
    }

    public Answer Finish(string? error) => new()
    {
        Turn = turn, Text = _text.ToString(), FirstTokenMs = _firstTokenMs, GapsMs = _gaps, Usage = _usage, Error = error,
    };

    void Take(string text, long at)
    {
        _text.Append(text);
        double elapsed = Stopwatch.GetElapsedTime(_lastTextAt, at).TotalMilliseconds;
        if (_firstTokenMs is null)
            _firstTokenMs = elapsed;
        else
            _gaps.Add(elapsed);
        _lastTextAt = at;
    }
}
