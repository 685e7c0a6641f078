using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Kvasir.Server.Http;

/// <summary>
/// A request's JSON body, for as long as it is in memory: until it is understood, not until it is answered. A large one waits for room.
/// </summary>
sealed class RequestBody : IDisposable
{
    /// <summary>Values in a body, each of which takes memory of its own, however short it is.</summary>
    public const int MostValues = 1_300_000;

    const int Small = 1 << 16, Large = 1 << 18;

    static readonly JsonDocumentOptions s_options = new() { MaxDepth = 64 };

    readonly BodyRoom _room;
    byte[] _bytes = ArrayPool<byte>.Shared.Rent(Small);
    int _length;
    bool _isLarge; // for the pool of small arrays
    IDisposable? _part; // of the room

    RequestBody(BodyRoom room) => _room = room;

    /// <summary>Reads a body whole, and has it understood.</summary>
    /// <param name="context">The request.</param>
    /// <param name="understand">Is called with the body, which is gone when it returns.</param>
    /// <exception cref="RequestException">It is too large, or no JSON object.</exception>
    public static async Task<T> Read<T>(HttpContext context, Func<Field, T> understand)
    {
        using RequestBody body = new(context.Features.GetRequiredFeature<BodyRoom>());
        try
        {
            await body.Receive(context);
            return body._length <= Large ? body.Understand(understand) : await body._room.Thread.Run(() => body.Understand(understand));
        }
        catch (Exception e) when (Told(e) is { } told)
        {
            throw told;
        }
    }

    /// <summary>Forgets it, and makes room for others.</summary>
    public void Dispose()
    {
        Return();
        _part?.Dispose();
    }

    void Return() => (_isLarge ? _room.Arrays : ArrayPool<byte>.Shared).Return(_bytes);

    /// <summary>The error for a body that ends or is framed as none is.</summary>
    public static RequestException Broken() => new(400, "the body did not come as it should", code: "invalid_body");

    static RequestException? Told(Exception e) => e switch
    {
        JsonException wrong => new RequestException(400,
            $"the body is no JSON: line {wrong.LineNumber + 1}, byte {wrong.BytePositionInLine + 1}", code: "invalid_json"),
        BadHttpRequestException bad => new RequestException(bad.StatusCode, bad.StatusCode == 413
            ? "the body is larger than this server takes"
            : "the body did not come as it should", code: "invalid_body"),
        IOException => Broken(), // such as a chunk whose size is beyond all numbers
        _ => null,
    };

    /// <summary>Reads all bytes. Of a body that is too long the rest is read and forgotten, so that the answer arrives.</summary>
    async Task Receive(HttpContext context)
    {
        BodyLimit? limit = context.Features.Get<BodyLimit>();
        await using BodyStream stream = BodyStream.Open(context);
        long most = limit?.Bytes ?? int.MaxValue;
        bool isTooLong = limit is not null && stream.Length > most;
        for (int read; (read = await stream.Read(_bytes.AsMemory(_length))) > 0;)
        {
            isTooLong |= (_length += read) > most;
            if (isTooLong)
            {
                _length = 0;
                _part?.Dispose();
            }
            else if (_length == _bytes.Length)
                await Grow(context, stream, most);
        }
        if (isTooLong)
            throw limit!.TooLong();
    }

    async Task Grow(HttpContext context, BodyStream stream, long most)
    {
        if (_part is null)
        {
            stream.Hurry();
            _part = await _room.Take(stream.Length ?? most, context.RequestAborted);
        }
        long wanted = stream.Length + 1 ?? 0; // one more, to see the end
        byte[] larger = _room.Arrays.Rent((int)Math.Clamp(wanted, 2L * _length, Array.MaxLength));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        Return();
        (_bytes, _isLarge) = (larger, true);
    }

    T Understand<T>(Func<Field, T> understand)
    {
        ReadOnlyMemory<byte> bytes = _bytes.AsMemory(0, _length);
        if (_length / 2 > MostValues && Values(bytes.Span) > MostValues)
            throw new RequestException(400, $"the body has more than {MostValues:N0} values", code: "invalid_body");
        using var document = JsonDocument.Parse(bytes, s_options);
        if (!IsText(document.RootElement))
            throw new RequestException(400, "the body is no JSON: it has bytes that are not UTF-8, or half a surrogate pair",
                code: "invalid_json");
        Field root = new("", document.RootElement);
        return root.IsObject ? understand(root) : throw root.Wrong("a JSON object");
    }

    static int Values(ReadOnlySpan<byte> bytes)
    {
        Utf8JsonReader reader = new(bytes, new JsonReaderOptions { MaxDepth = s_options.MaxDepth });
        int values = 0;
        while (values <= MostValues && reader.Read())
            values++;
        return values;
    }

    /// <summary>
    /// Whether all strings are Unicode: the parser takes any bytes and escapes, and whoever read such a string would fail.
    /// </summary>
    static bool IsText(JsonElement root)
    {
        ReadOnlySpan<byte> bytes = JsonMarshal.GetRawUtf8Value(root);
        if (!Utf8.IsValid(bytes))
            return false;
        bool hasSurrogates = bytes.IndexOf(@"\ud"u8) >= 0 || bytes.IndexOf(@"\uD"u8) >= 0;
        try
        {
            if (hasSurrogates)
                ReadStrings(root);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    static void ReadStrings(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
            _ = value.GetString();
        else if (value.ValueKind == JsonValueKind.Array)
            foreach (JsonElement item in value.EnumerateArray())
                ReadStrings(item);
        else if (value.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty member in value.EnumerateObject())
            {
                _ = member.Name;
                ReadStrings(member.Value);
            }
    }
}
