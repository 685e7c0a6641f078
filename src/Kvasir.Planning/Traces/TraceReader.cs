using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Planning.Traces;

/// <summary>
/// Reads traces of JSON lines: our own recordings, and those in the format of Mooncake's (Qin et al., "Mooncake: Trading more storage for
/// less computation", FAST 2025). Nothing in the file is trusted.
/// </summary>
public sealed class TraceReader
{
    readonly string _path;
    readonly TraceReadOptions _options;
    readonly List<TraceRequest> _requests = [];
    TraceHeader? _header;
    RequestParser? _parser; // from the first line on
    long? _tornLine;

    TraceReader(string path, TraceReadOptions options) => (_path, _options) = (path, options);

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How to read it.</param>
    /// <param name="bytesRead">Is told the bytes read so far.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="TraceFormatException">The file is no trace; the message is one line that says where and why.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static TraceFile Read(string path, TraceReadOptions? options = null, IProgress<long>? bytesRead = null,
        CancellationToken cancellation = default) =>
        new TraceReader(path, options ?? new TraceReadOptions()).Read(bytesRead, cancellation);

    TraceFile Read(IProgress<long>? bytesRead, CancellationToken cancellation)
    {
        using var lines = new LineReader(_path, bytesRead);
        while (lines.TryNext(out ReadOnlySpan<byte> line))
        {
            cancellation.ThrowIfCancellationRequested();
            if (line.Trim(" \t\r"u8).IsEmpty)
                continue;
            if (!lines.HasEnd && FieldReader.IsTorn(line))
                _tornLine = lines.Number;
            else
                Add(line, lines.Number);
        }
        if (_requests.Count == 0)
            throw TraceFormatException.At(_path, Math.Max(1, lines.Number), null, "the end of the file", "at least one request");
        return new TraceFile(new Trace(Path.GetFileName(_path), BlockTokens, InOrder()), _header, _tornLine);
    }

    int BlockTokens => _header?.BlockTokens ?? _options.BlockTokens ?? TraceReadOptions.MooncakeBlockTokens;

    /// <summary>Our own recordings have their requests in the order in which they ended.</summary>
    bool Sorts => _options.Sort || _header is not null;

    void Add(ReadOnlySpan<byte> line, long number)
    {
        try
        {
            if (_parser is null && IsHeader(line, number))
                return;
            TraceRequest request = _parser!.Parse(line, number);
            CheckOrder(request, number);
            _requests.Add(request);
        }
        catch (JsonException e)
        {
            int at = (int)Math.Min(e.BytePositionInLine ?? 0, line.Length);
            throw TraceFormatException.At(_path, number, null, at == line.Length
                ? $"the end at byte {at}"
                : $"{Printable.Quote(line[at..Math.Min(at + 20, line.Length)])} at byte {at}", "a JSON object");
        }
        catch (InvalidOperationException) // what Utf8JsonReader throws for names and texts that it cannot decode
        {
            throw TraceFormatException.At(_path, number, null, "a text that is not Unicode", "UTF-8, and escapes of whole characters");
        }
    }

    bool IsHeader(ReadOnlySpan<byte> line, long number)
    {
        _header = HeaderParser.Parse(_path, line, number);
        if (_header is not null && _options.BlockTokens is { } asked && asked != _header.BlockTokens)
            throw TraceFormatException.At(_path, number, "block_tokens", $"{_header.BlockTokens}", $"{asked}, as was asked for");
        _parser = new RequestParser(_path, BlockTokens);
        return _header is not null;
    }

    void CheckOrder(TraceRequest request, long number)
    {
        if (!Sorts && _requests.Count > 0 && request.Arrival < _requests[^1].Arrival)
            throw TraceFormatException.At(_path, number, "timestamp", FormattableString.Invariant($"{request.Arrival.TotalMilliseconds}"),
                FormattableString.Invariant($"at least {_requests[^1].Arrival.TotalMilliseconds}, that of the request before"));
    }

    /// <summary>By arrival; requests of one moment stay in the order of their lines.</summary>
    List<TraceRequest> InOrder() => Sorts ? [.. _requests.OrderBy(request => request.Arrival)] : _requests;
}
