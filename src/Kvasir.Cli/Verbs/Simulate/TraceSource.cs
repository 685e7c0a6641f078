using Kvasir.Formats;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>Where traffic comes from: a file, or a line that makes some.</summary>
static class TraceSource
{
    /// <summary>Blocks of made traces: those of the engine.</summary>
    const int UsualBlockTokens = 16;

    /// <summary>The trace, and the bytes of a token if it knows them.</summary>
    public static (Trace Trace, long? BytesPerToken) Load(string source, int? blockTokens, bool sort, CancellationToken cancellation)
    {
        if (TraceGenerator.IsSpec(source))
            return (TraceGenerator.Generate(source, blockTokens ?? UsualBlockTokens, cancellation), null);
        if (!File.Exists(source))
            throw new UsageException($"{Printable.Quote(source)} is no file, and no line that makes a trace: expected one that begins with "
                + $"{string.Join(", ", TraceGenerator.Workloads.Select(workload => workload.Name))}");
        long length = Math.Max(1, new FileInfo(source).Length);
        TraceFile file = WorkProgress.Show($"reading {Printable.Line(Path.GetFileName(source))}", progress =>
            TraceReader.Read(source, new TraceReadOptions { BlockTokens = blockTokens, Sort = sort },
                new ShareOf(length, progress), cancellation));
        if (file.TornLine is { } torn)
            Terminal.Line($"{Printable.Line(source, 4096)}:{torn}: the last line is torn and was left out");
        return (file.Trace, file.Header?.BytesPerToken);
    }

    sealed class ShareOf(long whole, IProgress<double> share) : IProgress<long>
    {
        public void Report(long value) => share.Report((double)value / whole);
    }
}
