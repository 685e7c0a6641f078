using System.Text;
using CsCheck;
using Kvasir.Serving;

namespace Kvasir.Tests.Serving;

public class EventStreamTests
{
    static readonly Gen<string> s_lineEnd = OneOf("\n", "\r\n", "\r");

    /// <summary>A field as a server may write it, and the data in it, if it is data.</summary>
    static readonly Gen<(string Line, string? Data)> s_field = Gen.OneOf(
        OneOf("", "x", "{\"a\": \"ä€𝄞\"}", " two ", "[DONE]").Select(Gen.Bool, (data, spaced) =>
            (spaced || data.StartsWith(' ') ? $"data: {data}" : $"data:{data}", (string?)data)),
        Gen.Const(("data", (string?)"")),
        OneOf(": a comment", ":", "event: ping", "id: 7", "retry: 100", "database: no").Select(line => (line, (string?)null)));

    [Fact]
    public void However_bytes_arrive_the_events_are_the_same() =>
        Gen.Select(s_field.Array[0, 4].Array[0, 5], s_lineEnd, Gen.Int[1, 9], Gen.Bool).Sample((events, end, piece, mark) =>
        {
            string text = (mark ? "\uFEFF" : "")
                + string.Concat(events.Select(fields => string.Concat(fields.Select(field => field.Line + end)) + end));
            string[] expected =
            [
                .. events.Select(fields => fields.Select(field => field.Data).OfType<string>()).Where(data => data.Any())
                    .Select(data => string.Join('\n', data)),
            ];
            Assert.Equal(expected, Read(text, piece));
        });

    [Fact]
    public void An_event_that_is_cut_off_is_none() => Assert.Equal(["whole"], Read("data: whole\n\ndata: cut\n", 100));

    [Fact]
    public void A_line_without_end_does_not_fill_the_memory() =>
        Assert.Contains("4194304", Assert.Throws<InvalidDataException>(() => Read("data: " + new string('x', 5 << 20), 1 << 16)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void An_event_without_end_does_not_either() =>
        Assert.Throws<InvalidDataException>(
            () => Read(string.Concat(Enumerable.Repeat("data: " + new string('x', 1 << 20) + "\n", 5)), 1 << 16));

    static Gen<string> OneOf(params string[] all) => Gen.Int[0, all.Length - 1].Select(i => all[i]);

    static List<string> Read(string text, int piece)
    {
        EventStream events = new(new Pieces(Encoding.UTF8.GetBytes(text), piece));
        List<string> all = [];
        while (events.NextAsync().AsTask().GetAwaiter().GetResult() is { } data) // nothing here waits
            all.Add(data);
        return all;
    }

    /// <summary>Bytes that come a few at a time.</summary>
    sealed class Pieces(byte[] bytes, int most) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, most)], cancellationToken);
    }
}
