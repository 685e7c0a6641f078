using CsCheck;
using Kvasir.Planning.Traces;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Traces;

/// <summary>Recordings are read as they were written, at any moment while they are written.</summary>
public sealed class TraceWriterTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static Gen<TraceRequest[]> Requests(int blockTokens) =>
        Gen.Select(Gen.Long[0, 10_000_000_000], Gen.Int[1, 1000], Gen.Int[0, 1000], Gen.Bool, Gen.Long)
            .Select((ticks, input, output, hasLeft, id) =>
                new TraceRequest(new TimeSpan(ticks), input, output, Ids(id, (input + blockTokens - 1) / blockTokens),
                hasLeft ? Ids(id, (input + output) / blockTokens) : null,
                input % 3 == 0 ? new TraceTail(id, 1 + output % blockTokens) : null))
            .Array[1, 20].Select(requests => requests.OrderBy(request => request.Arrival).ToArray());

    static long[] Ids(long first, int count) => [.. Enumerable.Range(0, count).Select(i => unchecked(first * (i + 1)))];

    [Fact]
    public void What_was_written_is_read()
    {
        int files = 0;
        Gen.Select(Gen.Int[1, 64], Gen.String[Gen.Char, 0, 10], Gen.Long[1, 1 << 20]).SelectMany(
            (block, model, bytes) => Requests(block).Select(requests => (new TraceHeader(block, Valid(model), bytes), requests)))
            .Sample((header, requests) =>
            {
                string path = _folder[$"{Interlocked.Increment(ref files)}.jsonl"];
                using (var writer = new TraceWriter(path, header))
                    foreach (TraceRequest request in requests)
                        writer.Write(request);
                TraceFile file = TraceReader.Read(path);
                Assert.Equal(header, file.Header);
                Assert.Equivalent(requests, file.Trace.Requests, strict: true);
                File.Delete(path);
            }, iter: 200);
    }

    /// <summary>Without halves of surrogate pairs, which no file holds.</summary>
    static string Valid(string text) => string.Concat(text.EnumerateRunes());

    [Fact]
    public void Every_line_is_there_as_soon_as_it_is_written()
    {
        using var writer = new TraceWriter(_folder["t.jsonl"], new TraceHeader(16));
        for (int i = 1; i <= 5; i++)
        {
            writer.Write(new TraceRequest(TimeSpan.FromSeconds(i), 5, 0, [i]));
            TraceFile file = TraceReader.Read(_folder["t.jsonl"], cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(i, file.Trace.Requests.Count);
            Assert.Null(file.TornLine);
        }
    }

    [Fact]
    public void A_file_that_exists_is_left_alone()
    {
        _folder.Write("t.jsonl", [1, 2, 3]);
        Assert.Throws<IOException>(() => new TraceWriter(_folder["t.jsonl"], new TraceHeader(16)));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(_folder["t.jsonl"]));
    }
}
