using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace Kvasir.Serving;

/// <summary>
/// Server-sent events as they arrive, their data only.
/// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
/// </summary>
sealed class EventStream(Stream stream)
{
    const int MaxEventBytes = 1 << 22;

    readonly byte[] _buffer = new byte[16 << 10];
    readonly ArrayBufferWriter<byte> _line = new();
    int _at, _end;
    bool _afterReturn; // a line feed next belongs to the line before
    bool _begun;

    /// <summary>When the bytes that finished the last event were read; a <see cref="Stopwatch"/> time stamp.</summary>
    public long ReceivedAt { get; private set; }

    /// <summary>The data of the next event, its lines joined; null at the end. An event that is cut off is none.</summary>
    /// <exception cref="InvalidDataException">An event is larger than 4 MiB.</exception>
    public async ValueTask<string?> NextAsync(CancellationToken cancellation = default)
    {
        StringBuilder? data = null;
        while (await LineAsync(cancellation) is { } line)
        {
            if (line.Length == 0 && data is not null)
                return data.ToString();
            if (Data(line) is { } more)
                data = data is null ? new StringBuilder(more) : data.Append('\n').Append(more);
            if (data?.Length > MaxEventBytes)
                throw TooLong();
        }
        return null;
    }

    /// <summary>The value of a line that is data; null for comments and other fields.</summary>
    static string? Data(string line) =>
        line == "data" ? "" :
        !line.StartsWith("data:", StringComparison.Ordinal) ? null :
        line.StartsWith("data: ", StringComparison.Ordinal) ? line[6..] : line[5..];

    /// <summary>The next line that is complete, without its end; null when no more will be.</summary>
    async ValueTask<string?> LineAsync(CancellationToken cancellation)
    {
        _line.Clear();
        while (true)
        {
            if (_at == _end && !await FillAsync(cancellation))
                return null;
            if (!TakeLine())
                continue;
            string line = Encoding.UTF8.GetString(_line.WrittenSpan);
            bool first = !_begun;
            _begun = true;
            return first ? line.TrimStart('\uFEFF') : line;
        }
    }

    async ValueTask<bool> FillAsync(CancellationToken cancellation)
    {
        _end = await stream.ReadAsync(_buffer, cancellation);
        _at = 0;
        ReceivedAt = Stopwatch.GetTimestamp();
        return _end > 0;
    }

    /// <summary>Moves bytes from the buffer to the line; whether the line is complete.</summary>
    bool TakeLine()
    {
        if (_afterReturn && _buffer[_at] == '\n')
            _at++;
        _afterReturn = false;
        ReadOnlySpan<byte> rest = _buffer.AsSpan(_at.._end);
        int end = rest.IndexOfAny((byte)'\r', (byte)'\n');
        _line.Write(end < 0 ? rest : rest[..end]);
        if (_line.WrittenCount > MaxEventBytes)
            throw TooLong();
        _at += end < 0 ? rest.Length : end + 1;
        _afterReturn = end >= 0 && rest[end] == '\r';
        return end >= 0;
    }

    static InvalidDataException TooLong() => new($"an event of more than {MaxEventBytes} bytes");
}
