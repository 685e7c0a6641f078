using Kvasir.Formats;
using Kvasir.Planning.Sizing;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>An estimate as text, Markdown or CSV.</summary>
static class EstimateText
{
    /// <summary>A table, whichever way it is printed.</summary>
    sealed record Grid(string Title, IReadOnlyList<string> Columns, IReadOnlyList<string[]> Rows);

    public static void Print(EstimateReport report)
    {
        foreach (string line in Facts(report))
            Terminal.Answers.WriteLine(line);
        foreach (Grid grid in Grids(report))
        {
            Terminal.Answers.WriteLine();
            Terminal.Answers.WriteLine(grid.Title);
            Table table = new Table().SimpleBorder();
            foreach (string column in grid.Columns)
                table.AddColumn(new TableColumn(Markup.Escape(column)).RightAligned());
            foreach (string[] row in grid.Rows)
                table.AddRow([.. row.Select(Markup.Escape)]);
            Terminal.Answers.Write(table);
        }
        foreach (string note in report.Notes)
            Terminal.Answers.WriteLine($"note: {note}");
    }

    public static void WriteMarkdown(EstimateReport report)
    {
        TextWriter output = Console.Out;
        foreach (string line in Facts(report))
            output.WriteLine($"- {Escape(line.Trim())}");
        foreach (Grid grid in Grids(report))
        {
            output.WriteLine($"\n**{Escape(grid.Title)}**\n");
            output.WriteLine($"| {string.Join(" | ", grid.Columns)} |\n|{string.Concat(grid.Columns.Select(_ => "---:|"))}");
            foreach (string[] row in grid.Rows)
                output.WriteLine($"| {string.Join(" | ", row.Select(Escape))} |");
        }
        if (report.Notes.Count > 0)
            output.WriteLine();
        foreach (string note in report.Notes)
            output.WriteLine($"- {Escape(note)}");
    }

    /// <summary>One line per context, batch and KV type.</summary>
    public static void WriteCsv(EstimateReport report)
    {
        Console.Out.WriteLine("model,retention,devices,context,batch,kv_type,bytes,allocated_bytes,read_bytes");
        foreach (EstimateSize size in report.Sizes)
            foreach ((string type, EstimateBytes of) in size.Types)
                Console.Out.WriteLine(FormattableString.Invariant(
                    $"{Quote(Printable.Line(report.Model))},{Quote(report.Retention)},{report.Devices},{size.Context},{size.Batch},{type},{of.Bytes},{of.AllocatedBytes},{of.ReadBytes}"));
    }

    static IEnumerable<string> Facts(EstimateReport report)
    {
        yield return $"{Printable.Line(report.Model)}: {Printable.Line(report.Architecture)}, {report.Attention}, {report.Layers} layers, "
            + $"trained for {report.Context:N0} tokens ({Printable.Line(report.Source, 4096)})";
        if (report.Parameters is { } parameters)
            yield return $"parameters: {parameters:N0}"
                + (report.ActiveParameters is { } active ? $", of which a token is multiplied with {active:N0}" : "");
        if (report.WeightBytes is { } weights)
            yield return $"weights, {report.WeightsHow}: {ByteSize.Text(weights)}"
                + (report.WeightBytesRead is { } read ? $", of which a step of one sequence reads {ByteSize.Text(read)}" : "");
        yield return $"KV per token, {report.KvType}{(report.Devices > 1 ? $", on each of {report.Devices} "
            + $"devices" : "")}: {report.KvBytesPerToken:N0} bytes"
            + (report.KvBytesPerTokenBeyondWindows != report.KvBytesPerToken
                ? $", {report.KvBytesPerTokenBeyondWindows:N0} once windows are full"
                : "")
            + (report.KvBytesPerTokenRead != report.KvBytesPerToken ? $"; a step reads {report.KvBytesPerTokenRead:N0}" : "");
        foreach (EstimateGroup group in report.Groups)
            yield return $"  {group.BytesPerToken:N0} = {Factors(group)}";
    }

    static string Factors(EstimateGroup group) =>
        $"{group.Layers} layers that own a cache × " + (group.ValueDim == 0
            ? $"1 latent × {group.KeyDim} elements (both key and value) × {group.BytesPerElement} bytes"
            : $"{group.KvHeads} KV heads × ({group.KeyDim} of K + {group.ValueDim} of V) × {group.BytesPerElement} bytes")
        + (group.Window is { } window ? $", of the last {window:N0} tokens" : "")
        + (group.SharedBy > 0 ? $"; {group.SharedBy} more read theirs" : "");

    static IEnumerable<Grid> Grids(EstimateReport report)
    {
        yield return Sizes(report);
        if (report.Memory is { } memory)
            yield return Memory(report, memory);
        foreach (var tier in report.Tiers.GroupBy(tier => tier.Tier))
            yield return new Grid(
                $"{tier.Key}, {ByteSize.Text(tier.First().Bytes)}: {tier.First().Tokens:N0} tokens in whole blocks of 16",
                ["context", "conversations"],
                [.. tier.Select(row => (string[])[$"{row.Context:N0}", $"{row.Conversations:N0}"])]);
        if (report.Streaming.Count > 0)
            yield return Streaming(report.Streaming);
        if (report.BreakEven.Count > 0)
            yield return new Grid(
                "break-even: above this bandwidth, loading beats computing", ["context", "bytes", "to compute", "bandwidth"],
                [.. report.BreakEven.Select(row => (string[])[$"{row.Context:N0}", ByteSize.Text(row.Bytes), Seconds(row.ComputeSeconds),
                    $"{ByteSize.Text((long)row.BytesPerS)}/s"])]);
    }

    static Grid Sizes(EstimateReport report)
    {
        string[] types = [.. report.Sizes[0].Types.Keys.Where(type => type != "bf16")]; // as large as f16
        EstimateBytes first = report.Sizes[0].Types[report.KvType];
        bool isPruned = report.Retention != KvRetention.Everything.ToString();
        bool hasBlocks = first.AllocatedBytes is not null, hasWindows = first.LlamaCppBytes is not null;
        List<string> columns = ["context", "batch", .. types.Select(type => type == "f16" ? "f16, bf16" : type)];
        if (isPruned || hasBlocks)
            columns.Add(isPruned ? "kept" : $"in blocks, {report.KvType}");
        if (hasWindows)
            columns.Add($"llama.cpp, {report.KvType}");
        columns.Add($"read per step, {report.KvType}");
        return new Grid(isPruned ? $"KV cache with {report.Retention}" : "KV cache", columns, [.. report.Sizes.Select(Row)]);

        string[] Row(EstimateSize size)
        {
            (_, long? allocated, long? cells, long read) = size.Types[report.KvType];
            return
            [
                $"{size.Context:N0}", $"{size.Batch:N0}", .. types.Select(type => ByteSize.Text(size.Types[type].Bytes)),
                .. (string[])(isPruned ? [$"{100 * size.KeptShare:N2} %"] : allocated is { } blocks ? [ByteSize.Text(blocks)] : []),
                .. (string[])(cells is { } padded ? [ByteSize.Text(padded)] : []), ByteSize.Text(read),
            ];
        }
    }

    static Grid Memory(EstimateReport report, EstimateMemory memory) => new(
        $"memory, {ByteSize.Text(memory.Bytes)}{(report.Devices > 1 ? " on each device" : "")}{Beside(memory)}: the longest sequence has {memory.LongestContext:N0} tokens"
            + (memory.IsModelsContext ? ", all that the model was trained for" : "")
            + (memory.LongestContextInBlocks is { } inBlocks && inBlocks != memory.LongestContext ? $", {inBlocks:N0} in blocks" : ""),
        memory.LongestContextInBlocks is null ? ["context", "sequences"] : ["context", "sequences", "in Kvasir's blocks"],
        [.. memory.Sequences.Select(row => (string[])[$"{row.Context:N0}", $"{row.Sequences:N0}",
            .. (string[])(row.SequencesInBlocks is { } count ? [$"{count:N0}"] : [])])]);

    static Grid Streaming(IReadOnlyList<EstimateStreaming> rows) => new(
        "where a sequence lies, in tokens, and what a step reads of it there"
            + (rows[0].RingBytes is > 0 and var ring ? $"; {ByteSize.Text(ring)} of the pool are the ring's" : ""),
        ["context", "in the pool", "in host", "on disk", "read in the pool", "in host", "from disk", "a step takes at least"],
        [.. rows.Select(row => (string[])[$"{row.Context:N0}", $"{row.PoolTokens:N0}", $"{row.HostTokens:N0}", $"{row.DiskTokens:N0}",
            ByteSize.Text(row.PoolBytesRead), ByteSize.Text(row.HostBytesRead), ByteSize.Text(row.DiskBytesRead),
            row.Problem is not null ? "impossible" : row.StepSeconds is { } seconds ? Seconds(seconds) : "unknown"])]);

    static string Beside(EstimateMemory memory) => memory.WeightBytes is { } weights ? $" beside {ByteSize.Text(weights)} of weights" : "";

    static string Seconds(double seconds) => seconds >= 1 ? $"{seconds:N1} s" : $"{seconds * 1e3:N1} ms";

    static string Escape(string cell) => cell.Replace("|", "\\|", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal);

    static string Quote(string field) => field.AsSpan().ContainsAny("\",\r\n")
        ? $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
        : field;
}
