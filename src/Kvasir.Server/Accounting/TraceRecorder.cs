using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;

namespace Kvasir.Server.Accounting;

/// <summary>
/// Records what is asked as a trace, for simulations: counts of tokens, and ids that tell equal prefixes from others and nothing else. They
/// are keyed with random bytes that die with the process, so that nobody who guesses a text can look for its id. Requests are written when
/// they end. A file that cannot be written any more ends the recording, and no request.
/// </summary>
sealed class TraceRecorder : IDisposable
{
    readonly Lock _gate = new();
    readonly byte[] _salt = RandomNumberGenerator.GetBytes(32);
    readonly long _start = Stopwatch.GetTimestamp();
    readonly InferenceEngine _engine;
    readonly TraceWriter _writer;
    readonly Action<string>? _log;
    bool _isOver;

    /// <exception cref="IOException">The file exists, or cannot be written.</exception>
    public TraceRecorder(InferenceEngine engine, string path, Action<string>? log)
    {
        (_engine, _log) = (engine, log);
        _writer = new TraceWriter(path,
            new TraceHeader(engine.Layout.BlockTokens, engine.Model.Config.Name, engine.Layout.StrideBytes / engine.Layout.BlockTokens));
    }

    /// <summary>Writes down a request with all its answers.</summary>
    /// <param name="prompts">What was asked.</param>
    /// <param name="perPrompt">How many answers to each.</param>
    /// <param name="salt">What keeps the cache of the request apart from others'.</param>
    /// <param name="results">What came of it, choice by choice.</param>
    /// <param name="start">When it came, as <see cref="Stopwatch.GetTimestamp"/> counts.</param>
    public void Record(IReadOnlyList<int[]> prompts, int perPrompt, byte[] salt, GenerationResult[] results, long start)
    {
        TimeSpan arrival = Stopwatch.GetElapsedTime(_start, Math.Max(_start, start));
        lock (_gate)
            for (int choice = 0; choice < results.Length && !_isOver; choice++)
                Write(Of(arrival, prompts[choice / perPrompt], results[choice], salt));
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isOver = true;
            _writer.Dispose();
        }
    }

    TraceRequest Of(TimeSpan arrival, int[] prompt, GenerationResult result, byte[] salt)
    {
        // the token that ended it is no part of the answer
        int ends = result is { FinishReason: FinishReason.Stop, StopText: null } ? 1 : 0;
        int output = result.TokenIds.Count + ends;
        int[] left = [.. prompt.Concat(result.TokenIds).Take(Math.Max(1, prompt.Length + output - 1))];
        return new TraceRequest(arrival, prompt.Length, output, Ids(prompt, salt), Ids(left, salt),
            result.Kv.Tail is { } tail ? new TraceTail(Id(tail.Key), tail.Tokens) : null);
    }

    long[] Ids(int[] tokens, byte[] salt) => [.. _engine.Cache.Keys(tokens, salt).Select(Id)];

    long Id(BlockKey key)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size], id = stackalloc byte[HMACSHA256.HashSizeInBytes];
        key.Digest.CopyTo(bytes);
        HMACSHA256.HashData(_salt, bytes, id);
        return BinaryPrimitives.ReadInt64LittleEndian(id);
    }

    void Write(TraceRequest request)
    {
        try
        {
            _writer.Write(request);
        }
        catch (IOException e)
        {
            _isOver = true;
            _log?.Invoke($"recording ends: {Formats.Printable.Line(e.Message, 1000)}");
        }
    }
}
