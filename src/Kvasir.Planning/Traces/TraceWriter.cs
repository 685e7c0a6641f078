using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Kvasir.Planning.Traces;

/// <summary>
/// Writes a recording. Each line is handed to the system at once and whole, so that a killed process leaves a file that can be read; a
/// crash of the machine may tear the last line. Not for several threads at a time.
/// </summary>
public sealed class TraceWriter : IDisposable
{
    static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly ArrayBufferWriter<byte> _line = new();
    readonly Utf8JsonWriter _json;
    readonly FileStream _stream;

    /// <summary>Begins a file that does not exist yet; on Unix only its owner may read it, since ids can be guessed from texts.</summary>
    /// <param name="path">The file.</param>
    /// <param name="header">Its first line.</param>
    /// <exception cref="IOException">The file exists, or cannot be written.</exception>
    public TraceWriter(string path, TraceHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        _stream = new FileStream(path, options);
        _json = new Utf8JsonWriter(_line, s_json);
        Write(header);
    }

    /// <summary>Writes one request.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(TraceRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        _json.WriteStartObject();
        _json.WriteNumber("timestamp"u8, request.Arrival.Ticks / (decimal)TimeSpan.TicksPerMillisecond);
        _json.WriteNumber("input_length"u8, request.InputTokens);
        _json.WriteNumber("output_length"u8, request.OutputTokens);
        Write("hash_ids"u8, request.Blocks);
        if (request.Left is { } left)
            Write("left_ids"u8, left);
        if (request.Tail is { } tail)
        {
            _json.WriteNumber("tail_id"u8, tail.Id);
            _json.WriteNumber("tail_tokens"u8, tail.Tokens);
        }
        EndLine();
    }

    void Write(TraceHeader header)
    {
        _json.WriteStartObject();
        _json.WriteNumber("kvasir_trace"u8, TraceHeader.Version);
        _json.WriteNumber("block_tokens"u8, header.BlockTokens);
        if (header.Model is { } model)
            _json.WriteString("model"u8, model);
        if (header.BytesPerToken is { } bytes)
            _json.WriteNumber("bytes_per_token"u8, bytes);
        EndLine();
    }

    void Write(ReadOnlySpan<byte> name, long[] ids)
    {
        _json.WriteStartArray(name);
        foreach (long id in ids)
            _json.WriteNumberValue(id);
        _json.WriteEndArray();
    }

    void EndLine()
    {
        _json.WriteEndObject();
        _json.Flush();
        _line.Write("\n"u8);
        _stream.Write(_line.WrittenSpan);
        _line.ResetWrittenCount();
        _json.Reset();
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _json.Dispose();
        _stream.Dispose();
    }
}
