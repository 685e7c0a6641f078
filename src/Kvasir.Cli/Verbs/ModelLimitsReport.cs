using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>limits MODEL --json</c> prints. Sizes are in bytes, times in seconds.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Source">Where its dimensions come from.</param>
/// <param name="Hardware">One device, as a file for <c>--hardware</c> would describe it.</param>
/// <param name="Devices">How many.</param>
/// <param name="Math">The arithmetic of products.</param>
/// <param name="Weights">Type of the weights.</param>
/// <param name="Kv">Type of keys and values.</param>
/// <param name="WeightBytes">All weights in memory; null when the source does not say.</param>
/// <param name="WeightBytesRead">Those that a step of one sequence reads.</param>
/// <param name="CriticalBatch">The batch from which products wait for arithmetic and no longer for weights.</param>
/// <param name="Steps">Least times of steps: at each position from the lowest latency to the highest throughput.</param>
/// <param name="Prefills">Least times of prompts.</param>
/// <param name="Reached">What a measured run reached.</param>
/// <param name="Notes">What was assumed.</param>
sealed record ModelLimitsReport(
    string Model, string Source, Hardware Hardware, int Devices, string Math, string Weights, string Kv, double? WeightBytes,
    double WeightBytesRead, double CriticalBatch,
    IReadOnlyList<StepLimit> Steps, IReadOnlyList<PrefillLimit> Prefills, IReadOnlyList<ReachedLimit> Reached, IReadOnlyList<string> Notes)
{
    public static ModelLimitsReport Of(
        SpeedOfLight limits, Hardware device, int devices, Arithmetic math, string weights, string kv, IReadOnlyList<FrontierPoint> points,
        IReadOnlyList<ReachedLimit> reached) => new(
        limits.Traffic.Model.Name, limits.Traffic.Model.Source, device, devices, math.ToString().ToLowerInvariant(), weights, kv,
        limits.Traffic.ResidentWeightBytes,
        limits.Traffic.WeightBytes(1), limits.CriticalBatch, [.. points.Select(point => StepLimit.Of(limits, point))],
        [.. points.Select(point => point.Position).Where(position => position > 0).Distinct()
            .Select(position => PrefillLimit.Of(limits, position))], reached, [.. NotesOn(limits, points)]);

    static IEnumerable<string> NotesOn(SpeedOfLight limits, IReadOnlyList<FrontierPoint> points)
    {
        ModelSpec model = limits.Traffic.Model;
        foreach (string note in model.Notes)
            yield return note;
        if (limits.Traffic.Routing is (int chosen, int all))
            yield return $"a token chooses {chosen} of {all} experts: a batch reads as many as it would touch if each token chose any with "
                + $"equal probability";
        if (model.Attention.Any(layer => layer.IsLatent))
            yield return "attention to latents: of its arithmetic, only products with keys are counted, and none in prompts";
        if (points.Max(point => point.Position) is var longest && longest > model.Context)
            yield return $"position {longest:N0} lies beyond the context of {model.Context:N0} that the model was trained for";
    }

    public void Print(bool markdown)
    {
        Line($"{Model} ({Source})", markdown);
        Line($"on {(Devices > 1 ? $"{Devices:N0} × " : "")}{Hardware.Name}: {Rates()} ({Hardware.Source})", markdown);
        Line($"weights {Weights}, {(WeightBytes is { } all ? $"{Size(all)}, " : "")}{Size(WeightBytesRead)} read for a token; KV {Kv}; "
            + $"products in {Math}", markdown);
        Line($"critical batch {CriticalBatch:N0}: products of smaller ones wait for weights, of larger ones for arithmetic", markdown);
        Terminal.Answers.Write(StepTable(markdown));
        if (Prefills.Count > 0)
            Terminal.Answers.Write(PrefillTable(markdown));
        if (Reached.Count > 0)
            Terminal.Answers.Write(ReachedTable(markdown));
        foreach (string note in Notes)
            Line($"note: {note}", markdown);
    }

    string Rates()
    {
        Hardware all = Hardware.Times(Devices);
        double peak = all.Peak(Enum.Parse<Arithmetic>(Math, ignoreCase: true))!.Value;
        string memory = all.MemoryBytes is { } bytes ? $", {Size(bytes)}" : "";
        return $"{all.MemoryBytesPerS / 1e9:N1} GB/s, {(peak >= 1e13 ? $"{peak / 1e12:N1} TOP/s" : $"{peak / 1e9:N1} GOP/s")} "
            + $"{Math}{memory}";
    }

    Table StepTable(bool markdown)
    {
        Table table = New(markdown, "position", "batch", "step", "tok/s", "attention", "KV read", "memory").AddColumn("products wait for");
        foreach (StepLimit step in Steps)
            table.AddRow($"{step.Position:N0}", $"{step.Batch:N0}", Time(step.Seconds), $"{step.TokensPerS:N1}",
                $"{step.AttentionShare:P0}", Size(step.KvBytesRead),
                (step.MemoryBytes is { } bytes ? Size(bytes) : "–") + (step.Fits == false ? ", too much" : ""), step.ProductsWaitFor);
        return table;
    }

    Table PrefillTable(bool markdown)
    {
        Table table = New(markdown, "prompt", "prefill", "tok/s", "attention", "KV kept", "a tier is faster from");
        foreach (PrefillLimit prefill in Prefills)
            table.AddRow($"{prefill.Tokens:N0}", Time(prefill.Seconds), $"{prefill.TokensPerS:N0}", $"{prefill.AttentionShare:P0}",
                Size(prefill.KvBytes), $"{prefill.BreakEvenBytesPerS / 1e9:N2} GB/s");
        return table;
    }

    Table ReachedTable(bool markdown)
    {
        Table table = New(markdown, "measured model", "test", "tok/s", "limit", "share");
        foreach (ReachedLimit reached in Reached)
            table.AddRow(Markup.Escape(Printable.Line(reached.Model)), reached.Test, $"{reached.TokensPerS:N1}",
                $"{reached.LimitTokensPerS:N1}", $"{reached.Share:P0}");
        return table;
    }

    static Table New(bool markdown, params string[] columns)
    {
        Table table = markdown ? new Table().MarkdownBorder() : new Table().SimpleBorder();
        foreach (string column in columns)
            table.AddColumn(new TableColumn(column).RightAligned().NoWrap());
        return table;
    }

    // never folded
    static void Line(string text, bool markdown) => Console.Out.WriteLine(Printable.Line(text, 4096) + (markdown ? "\n" : ""));

    static string Size(double bytes) => ByteSize.Text((long)double.Min(bytes, long.MaxValue));

    static string Time(double seconds) => seconds >= 1 ? $"{seconds:N2} s" : $"{seconds * 1e3:N3} ms";
}

/// <summary>The least time of a step in which each sequence of a batch gets one token.</summary>
sealed record StepLimit(int Position, int Batch, double Seconds, double TokensPerS, double AttentionShare, double WeightBytesRead,
    double KvBytesRead, double? MemoryBytes, bool? Fits, string ProductsWaitFor)
{
    public static StepLimit Of(SpeedOfLight limits, FrontierPoint point) => new(
        point.Position, point.Batch, point.Time.Seconds, point.TokensPerS, point.Time.AttentionShare,
        limits.Traffic.WeightBytes(point.Batch),
        point.Batch * limits.Traffic.KvBytesRead(point.Position), point.MemoryBytes, point.Fits,
        point.Time.BoundByArithmetic ? "arithmetic" : "weights");
}

/// <summary>The least time of a prompt, and the bandwidth of a tier from which its KV is back sooner.</summary>
sealed record PrefillLimit(int Tokens, double Seconds, double TokensPerS, double AttentionShare, double KvBytes, double BreakEvenBytesPerS)
{
    public static PrefillLimit Of(SpeedOfLight limits, int tokens)
    {
        PassTime time = limits.Prefill(tokens);
        return new(tokens, time.Seconds, tokens / time.Seconds, time.AttentionShare, limits.Traffic.KvBytesKept(tokens),
            limits.BreakEvenBytesPerS(tokens));
    }
}
