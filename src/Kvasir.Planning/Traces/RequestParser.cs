namespace Kvasir.Planning.Traces;

/// <summary>Reads lines of requests. Keeps its lists from line to line.</summary>
sealed class RequestParser(string path, int blockTokens)
{
    /// <summary>Milliseconds of ten years.</summary>
    const double LatestArrival = 10 * 366 * 86_400_000.0;

    readonly List<long> _blocks = [], _left = [];

    public TraceRequest Parse(ReadOnlySpan<byte> line, long number)
    {
        var fields = new FieldReader(path, number, line);
        double? arrival = null;
        long? input = null, output = null, tailId = null, tailTokens = null;
        bool hasBlocks = false, hasLeft = false;
        fields.Begin();
        while (fields.TryNext())
            if (fields.Is("timestamp"u8, "timestamp"))
                arrival = fields.Once(fields.Decimal(0, LatestArrival), arrival is null);
            else if (fields.Is("input_length"u8, "input_length"))
                input = fields.Once(fields.Whole(1, int.MaxValue), input is null);
            else if (fields.Is("output_length"u8, "output_length"))
                output = fields.Once(fields.Whole(0, int.MaxValue), output is null);
            else if (fields.Is("hash_ids"u8, "hash_ids"))
                hasBlocks = fields.Once(fields.Ids(_blocks), !hasBlocks);
            else if (fields.Is("left_ids"u8, "left_ids"))
                hasLeft = fields.Once(fields.Ids(_left), !hasLeft);
            else if (fields.Is("tail_id"u8, "tail_id"))
                tailId = fields.Once(fields.Whole(long.MinValue, long.MaxValue), tailId is null);
            else if (fields.Is("tail_tokens"u8, "tail_tokens"))
                tailTokens = fields.Once(fields.Whole(1, blockTokens), tailTokens is null);
            else
                fields.Skip();
        if (tailId.HasValue != tailTokens.HasValue)
            throw fields.Missing(tailId is null ? "tail_id" : "tail_tokens", "it where the other of tail_id and tail_tokens is");
        return Checked(fields, arrival ?? throw fields.Missing("timestamp"), input ?? throw fields.Missing("input_length"),
            output ?? throw fields.Missing("output_length"), hasBlocks ? _blocks : throw fields.Missing("hash_ids"), hasLeft ? _left : null,
            tailId is { } id ? new TraceTail(id, (int)tailTokens!.Value) : null);
    }

    TraceRequest Checked(FieldReader fields, double arrival, long input, long output, List<long> blocks, List<long>? left, TraceTail? tail)
    {
        long most = (input + output + blockTokens - 1) / blockTokens, expected = (input + blockTokens - 1) / blockTokens;
        if (blocks.Count != expected)
            throw fields.Error("hash_ids", $"{blocks.Count} ids", $"{expected}, for {input} tokens in blocks of {blockTokens}");
        if (left?.Count > most)
            throw fields.Error("left_ids", $"{left.Count} ids",
                $"at most {most}, for {input} + {output} tokens in blocks of {blockTokens}");
        return new TraceRequest(new TimeSpan((long)Math.Round(arrival * TimeSpan.TicksPerMillisecond)), (int)input, (int)output,
            [.. blocks], left?.ToArray(), tail);
    }
}
