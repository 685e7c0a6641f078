using System.Text;
using Kvasir.Planning.Traces;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Traces;

/// <summary>Reading traces of both formats, and refusing what is wrong with one line that says where.</summary>
public sealed class TraceReaderTests : IDisposable
{
    const string Header = """{"kvasir_trace": 1, "block_tokens": 16, "model": "saga", "bytes_per_token": 6144}""";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    TraceFile Read(string text, TraceReadOptions? options = null) => TraceReader.Read(
        _folder.Write("t.jsonl", Encoding.UTF8.GetBytes(text)), options, cancellation: TestContext.Current.CancellationToken);

    string Refused(string text, TraceReadOptions? options = null)
    {
        string message = Assert.Throws<TraceFormatException>(() => Read(text, options)).Message;
        Assert.StartsWith(_folder["t.jsonl"] + ":", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        return message[(_folder["t.jsonl"].Length + 1)..];
    }

    static string Line(string timestamp = "0", string input = "600", string output = "5", string ids = "[0, 1]", string more = "") =>
        $$"""{"timestamp": {{timestamp}}, "input_length": {{input}}, "output_length": {{output}}, "hash_ids": {{ids}}{{more}}}""";

    [Fact]
    public void The_hour_of_conversations_is_read_as_it_is()
    {
        TraceFile file = TraceReader.Read(Checkout.Shared("traces/mooncake_conversation.jsonl"),
            cancellation: TestContext.Current.CancellationToken);
        Assert.Null(file.Header);
        Assert.Null(file.TornLine);
        Assert.Equal("mooncake_conversation.jsonl", file.Trace.Name);
        Assert.Equal(512, file.Trace.BlockTokens);
        Assert.Equal(12_031, file.Trace.Requests.Count);
        TraceRequest first = file.Trace.Requests[0];
        Assert.Equal((TimeSpan.Zero, 6758, 500), (first.Arrival, first.InputTokens, first.OutputTokens));
        Assert.Equal(Enumerable.Range(0, 14).Select(id => (long)id), first.Blocks);
        Assert.Null(first.Left);
        Assert.Equal(TimeSpan.FromMilliseconds(3_536_999), file.Trace.Requests[^1].Arrival);
    }

    [Fact]
    public void A_recording_says_what_its_blocks_are()
    {
        TraceFile file = Read($"{Header}\n{Line("1.5", "17", "16", "[-9223372036854775808, 9223372036854775807]", ", \"left_ids\": [-9223372036854775808, 3], \"tail_id\": -7, \"tail_tokens\": 3, \"other\": {\"a\": [1]}")}\r\n\n");
        Assert.Equal(new TraceHeader(16, "saga", 6144), file.Header);
        Assert.Equal(16, file.Trace.BlockTokens);
        TraceRequest request = Assert.Single(file.Trace.Requests);
        Assert.Equal(TimeSpan.FromMicroseconds(1500), request.Arrival);
        Assert.Equal([long.MinValue, long.MaxValue], request.Blocks);
        Assert.Equal([long.MinValue, 3], request.Left!);
        Assert.Equal(new TraceTail(-7, 3), request.Tail);
    }

    [Fact]
    public void Block_size_of_traces_that_do_not_say_is_asked_for()
    {
        Assert.Equal(300, Read(Line(), new TraceReadOptions { BlockTokens = 300 }).Trace.BlockTokens);
        Assert.Equal("1: field 'hash_ids': saw 2 ids, expected 3, for 600 tokens in blocks of 256",
            Refused(Line(), new TraceReadOptions { BlockTokens = 256 }));
        Assert.Equal("1: field 'block_tokens': saw 16, expected 512, as was asked for",
            Refused(Header + "\n", new TraceReadOptions { BlockTokens = 512 }));
    }

    [Theory]
    [InlineData("[1]", "1: saw an array, expected a JSON object")]
    [InlineData("{]", "1: saw ']' at byte 1, expected a JSON object")]
    [InlineData("{} {}", "1: saw '{}' at byte 3, expected a JSON object")]
    [InlineData("{}", "1: field 'timestamp': saw nothing, expected it in every line")]
    [InlineData("""{"timestamp": 1, "timestamp": 1}""", "1: field 'timestamp': saw it twice, expected it once")]
    [InlineData("""{"kvasir_trace": 2, "block_tokens": 16}""", "1: field 'kvasir_trace': saw 2, expected a whole number from 1 to 1")]
    [InlineData("""{"kvasir_trace": 1}""", "1: field 'block_tokens': saw nothing, expected it in every line")]
    [InlineData("""{"kvasir_trace": 1, "block_tokens": 0}""", "1: field 'block_tokens': saw 0, expected a whole number from 1 to 1048576")]
    [InlineData("""{"kvasir_trace": 1, "block_tokens": 16, "model": 5}""",
        "1: field 'model': saw 5, expected a text of at most 4096 bytes")]
    [InlineData("""{"kvasir_trace": 1, "model": "\ud800"}""",
        "1: saw a text that is not Unicode, expected UTF-8, and escapes of whole characters")]
    [InlineData("", "1: saw the end of the file, expected at least one request")]
    [InlineData("\n\n", "2: saw the end of the file, expected at least one request")]
    [InlineData(Header, "1: saw the end of the file, expected at least one request")]
    public void What_is_no_trace_is_refused(string text, string expected) => Assert.Equal(expected, Refused(text));

    [Fact]
    public void Wrong_values_are_named()
    {
        Assert.Equal("1: field 'input_length': saw 0, expected a whole number from 1 to 2147483647", Refused(Line(input: "0")));
        Assert.Equal("1: field 'input_length': saw 2147483648, expected a whole number from 1 to 2147483647",
            Refused(Line(input: "2147483648")));
        Assert.Equal("1: field 'input_length': saw 1e99, expected a whole number from 1 to 2147483647", Refused(Line(input: "1e99")));
        Assert.Equal("1: field 'output_length': saw -1, expected a whole number from 0 to 2147483647", Refused(Line(output: "-1")));
        Assert.Equal("1: field 'output_length': saw \"5\", expected a whole number from 0 to 2147483647", Refused(Line(output: "\"5\"")));
        Assert.Equal("1: field 'output_length': saw null, expected a whole number from 0 to 2147483647", Refused(Line(output: "null")));
        Assert.StartsWith("1: field 'timestamp': saw -1, expected a number from 0 to ", Refused(Line("-1")), StringComparison.Ordinal);
        Assert.StartsWith("1: field 'timestamp': saw 1e300, expected a number from 0 to ",
            Refused(Line("1e300")), StringComparison.Ordinal);
        Assert.StartsWith("1: field 'timestamp': saw an object, expected a number from 0 to ",
            Refused(Line("{}")), StringComparison.Ordinal);
        Assert.Equal("1: field 'hash_ids': saw 3, expected an array of whole numbers of 64 bits", Refused(Line(ids: "3")));
        Assert.Equal("1: field 'hash_ids': saw 1.5, expected whole numbers of 64 bits in the array", Refused(Line(ids: "[0, 1.5]")));
        Assert.Equal("1: field 'hash_ids': saw 9223372036854775808, expected whole numbers of 64 bits in the array",
            Refused(Line(ids: "[9223372036854775808]")));
        Assert.Equal("1: field 'hash_ids': saw 0 ids, expected 2, for 600 tokens in blocks of 512", Refused(Line(ids: "[]")));
        Assert.Equal("1: field 'left_ids': saw 3 ids, expected at most 2, for 600 + 5 tokens in blocks of 512",
            Refused(Line(more: ", \"left_ids\": [0, 1, 2]")));
        Assert.Equal("1: field 'tail_tokens': saw 513, expected a whole number from 1 to 512",
            Refused(Line(more: ", \"tail_id\": 5, \"tail_tokens\": 513")));
        Assert.Equal("1: field 'tail_tokens': saw nothing, expected it where the other of tail_id and tail_tokens is",
            Refused(Line(more: ", \"tail_id\": 5")));
        Assert.StartsWith("1: saw '\\u{1b}[2J\", ", Refused(Line(output: "\"\u001b[2J\"")), StringComparison.Ordinal);
    }

    [Fact]
    public void Clocks_run_forwards_unless_requests_shall_be_sorted()
    {
        string text = $"{Line("7")}\n{Line("3")}\n{Line("7", ids: "[2, 3]")}\n";
        Assert.Equal("2: field 'timestamp': saw 3, expected at least 7, that of the request before", Refused(text));
        IReadOnlyList<TraceRequest> sorted = Read(text, new TraceReadOptions { Sort = true }).Trace.Requests;
        Assert.Equal([3.0, 7, 7], sorted.Select(request => request.Arrival.TotalMilliseconds));
        Assert.Equal([0, 0, 2], sorted.Select(request => request.Blocks[0]));
    }

    [Fact]
    public void A_torn_end_is_left_out_wherever_it_is_torn_and_only_there()
    {
        string whole = $"{Header}\n{Line("0", "16", "0", "[1]")}\n",
            last = Line("1", "17", "20", "[1, -2]", ", \"left_ids\": [1, 4], \"word\": \"é\"");
        byte[] bytes = Encoding.UTF8.GetBytes(last);
        for (int length = 1; length < bytes.Length; length++)
        {
            string path = _folder.Write("t.jsonl", [.. Encoding.UTF8.GetBytes(whole), .. bytes[..length]]);
            TraceFile file = TraceReader.Read(path, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(3, file.TornLine);
            Assert.Single(file.Trace.Requests);
        }
        Assert.Equal(2, Read(whole + last).Trace.Requests.Count);
        Assert.StartsWith("3: saw the end at byte 20", Refused(whole + last[..20] + "\n"), StringComparison.Ordinal);
        Assert.StartsWith("3: saw 'x' at byte 1", Refused(whole + "{x"), StringComparison.Ordinal); // wrong, and not torn
    }

    [Fact]
    public void Lines_of_any_length_up_to_the_limit_are_read_and_longer_ones_are_not()
    {
        string filled = Line(more: $", \"note\": \"{new string('x', LineReader.Longest - Line(more: ", \"note\": \"\"").Length)}\"");
        Assert.Equal(3, Read($"{Line()}\n{filled}\n{Line()}\n").Trace.Requests.Count);
        Assert.Equal("2: saw more than 16,777,216 bytes, expected a line of at most 16 MiB", Refused($"{Line()}\n{filled} \n{Line()}\n"));
        Assert.Equal("2: saw more than 16,777,216 bytes, expected a line of at most 16 MiB",
            Refused($"{Line()}\n{new string('[', 40 << 20)}"));
    }

    [Fact]
    public void Depth_is_bounded() =>
        Assert.StartsWith("1: saw '", Refused(Line(more: $", \"deep\": {new string('[', 100_000)}")), StringComparison.Ordinal);

    [Fact]
    public void Whatever_bytes_are_damaged_it_is_read_or_refused()
    {
        byte[] whole = Encoding.UTF8.GetBytes(
            $"{Header}\n{Line("0", "16", "0", "[1]")}\n{Line("1", "17", "20", "[1, -2]", ", \"left_ids\": [1, 4], \"word\": \"é\"")}\n");
        var random = new Random(1);
        int refused = 0;
        for (int round = 0; round < 1500; round++)
        {
            byte[] damaged = [.. whole];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
                damaged[random.Next(damaged.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : "{}[],:\"-0e\n"u8[random.Next(11)];
            try
            {
                TraceReader.Read(_folder.Write("t.jsonl", damaged), cancellation: TestContext.Current.CancellationToken);
            }
            catch (TraceFormatException e)
            {
                Assert.DoesNotContain('\n', e.Message);
                refused++;
            }
        }
        Assert.InRange(refused, 600, 1499);
    }
}
