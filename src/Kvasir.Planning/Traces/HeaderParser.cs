namespace Kvasir.Planning.Traces;

/// <summary>
/// Reads the first line of a recording:
/// <c>{"kvasir_trace": 1, "block_tokens": 16, "model": "…", "bytes_per_token": N}</c>, the first field first.
/// </summary>
static class HeaderParser
{
    const int LongestName = 4096;

    /// <summary>The header, or null when the line is none.</summary>
    public static TraceHeader? Parse(string path, ReadOnlySpan<byte> line, long number)
    {
        var fields = new FieldReader(path, number, line);
        bool isHeader = false;
        long? blockTokens = null, bytes = null;
        string? model = null;
        fields.Begin();
        while (fields.TryNext())
            if (fields.Is("kvasir_trace"u8, "kvasir_trace"))
                isHeader = fields.Once(fields.Whole(TraceHeader.Version, TraceHeader.Version), !isHeader) > 0;
            else if (!isHeader)
                fields.Skip(); // a request's line, whose other fields are nobody's business
            else if (fields.Is("block_tokens"u8, "block_tokens"))
                blockTokens = fields.Once(fields.Whole(1, TraceHeader.MostBlockTokens), blockTokens is null);
            else if (fields.Is("model"u8, "model"))
                model = fields.Once(fields.Text(LongestName), model is null);
            else if (fields.Is("bytes_per_token"u8, "bytes_per_token"))
                bytes = fields.Once(fields.Whole(1, 1L << 40), bytes is null);
            else
                fields.Skip();
        return isHeader ? new TraceHeader((int)(blockTokens ?? throw fields.Missing("block_tokens")), model, bytes) : null;
    }
}
