using Kvasir.Formats;
using Kvasir.Inference.Measurement.Limits;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>bench --json</c> prints.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Threads">Compute threads.</param>
/// <param name="Kv">Codec of keys and values.</param>
/// <param name="FileBytes">Size of the model's file.</param>
/// <param name="WeightBytes">Bytes of weights that a decode step reads.</param>
/// <param name="KvBytes">Size of the pool of keys and values.</param>
/// <param name="PeakMemoryBytes">The most that the process had resident, the model's mapped file included, since the engine
/// was made; 0 if unknown.</param>
/// <param name="Machine">What ran it.</param>
/// <param name="Limits">What that can do at best with as many threads; null of a device whose limits nobody has measured.</param>
/// <param name="Tests">What was measured.</param>
/// <param name="Device">What computed.</param>
sealed record BenchReport(
    string Model, int Threads, string Kv, long FileBytes, long WeightBytes, long KvBytes, long PeakMemoryBytes,
    MachineIdentity Machine, ThreadLimits? Limits,
    IReadOnlyList<BenchRow> Tests, string Device = "cpu")
{
    public void Print()
    {
        Terminal.Answers.WriteLine(
            $"{Printable.Line(Model)}, {(Limits is null ? Device : $"{Threads} threads")}, KV {Kv}, {ByteSize.Text(WeightBytes)} of weights read per token");
        Table table = new Table().SimpleBorder().AddColumn("test");
        foreach (string column in (string[])["tok/s (median)", "min – max", "achieved", "limit", "share"])
            table.AddColumn(new TableColumn(column).RightAligned());
        table.AddColumn("limit is");
        foreach (BenchRow row in Tests)
            table.AddRow(row.Test, $"{row.TokensPerS:N1}", $"{row.LeastTokensPerS:N1} – {row.MostTokensPerS:N1}",
                $"{row.Achieved:N1} {row.Unit}", row.Limit is { } limit ? $"{limit:N1} {row.Unit}" : "–",
                row.Share is { } share ? $"{share:P0}" : "–", row.LimitName ?? "not measured");
        Terminal.Answers.Write(table);
        if (PeakMemoryBytes > 0)
            Terminal.Answers.WriteLine($"peak memory {ByteSize.Text(PeakMemoryBytes)}, with a model file of {ByteSize.Text(FileBytes)} and "
                + $"a KV pool of {ByteSize.Text(KvBytes)}");
    }
}

/// <summary>
/// One test: the median over the runs and what that means in the unit of the limit. The share is the time at
/// the limit over the time it took; null without a limit.
/// </summary>
sealed record BenchRow(
    string Test, double TokensPerS, double LeastTokensPerS, double MostTokensPerS, double Achieved, double? Limit,
    string Unit, string? LimitName, double? Share);
