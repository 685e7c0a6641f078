using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Measurement.Speed;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Retention;

namespace Kvasir.Cli.Verbs;

/// <summary>One run of a test.</summary>
/// <param name="Seconds">How long it took.</param>
/// <param name="ReadBytesPerS">What memory gave meanwhile; null where that does not limit the test.</param>
readonly record struct BenchRun(double Seconds, double? ReadBytesPerS = null);

/// <summary>Something that <c>bench</c> measures.</summary>
/// <param name="Name">What is measured.</param>
/// <param name="Tokens">Tokens that one run computes.</param>
/// <param name="Work">Bytes or operations of one run.</param>
/// <param name="Unit">10^9 of them per second.</param>
/// <param name="LimitName">The limit that stands beside it.</param>
/// <param name="LimitSeconds">Time that one run takes at the limit.</param>
/// <param name="Run">Runs once.</param>
sealed record BenchTest(string Name, int Tokens, double Work, string Unit, string LimitName,
    Func<ThreadLimits, double> LimitSeconds, Func<BenchRun> Run)
{
    /// <summary>The limit of a prompt is arithmetic.</summary>
    public static BenchTest Prefill(InferenceEngine engine, int tokens, int depth, CancellationToken cancellation)
    {
        Operations operations = ModelCost.Of(engine).Prefill(tokens, depth);
        return new BenchTest($"prefill {tokens} at {depth}", tokens, operations.All, "GOP/s",
            operations.Int8 > 0 ? "int8 peak, attention fp32 peak" : "fp32 peak",
            operations.Seconds, () => new BenchRun(EngineSpeed.Prefill(engine, tokens, depth, cancellation)));
    }

    /// <summary>The limit of tokens one by one is how fast the weights come from memory.</summary>
    public static BenchTest Decode(InferenceEngine engine, WeightTraffic? beside, int tokens, int depth, CancellationToken cancellation)
    {
        double bytes = tokens * ModelCost.Of(engine).DecodeBytes(depth + (tokens + 1) / 2.0);
        return new BenchTest($"decode {tokens} at {depth}", tokens, bytes, "GB/s", "memory read",
            limits => bytes / limits.ReadBytesPerS, () =>
            {
                beside?.Restart();
                return new BenchRun(EngineSpeed.Decode(engine, tokens, depth, beside, cancellation), beside?.BytesPerS);
            });
    }

    /// <summary>The same behind a view of the tokens before: the limit is how fast weights and what is kept come from memory.</summary>
    public static BenchTest Decode(InferenceEngine engine, WeightTraffic? beside, int tokens, int depth, RetentionPolicy policy,
        CancellationToken cancellation)
    {
        ModelCost cost = ModelCost.Of(engine);
        double bytes = tokens * cost.DecodeBytes((tokens + 1) / 2.0);
        RetentionUse? told = null;
        double Read() => bytes + tokens * (told?.Pages is { Use: var pages }
            ? pages.ReadShare * depth * cost.KvBytesPerToken + pages.BoundsBytes
            : told?.View?.Bytes ?? depth * cost.KvBytesPerToken);
        return new BenchTest($"decode {tokens} at {depth}, {policy}", tokens, bytes, "GB/s", "memory read",
            limits => Read() / limits.ReadBytesPerS, () =>
            {
                beside?.Restart();
                (double seconds, RetentionUse retention) = EngineSpeed.Decode(engine, tokens, depth, policy, beside, cancellation);
                if (told is null)
                    Terminal.Line(KvText.Retained(retention));
                told = retention;
                return new BenchRun(seconds, beside?.BytesPerS);
            });
    }

    /// <summary>What measured times mean beside the machine's limits, where those are known.</summary>
    public BenchRow Row(BenchRun[] runs, ThreadLimits? limits)
    {
        double[] seconds = [.. runs.Select(run => run.Seconds)], reads = [.. runs.Select(run => run.ReadBytesPerS).OfType<double>()];
        double median = Percentile.Median(seconds);
        bool isBeside = limits is not null && reads.Length > 0;
        double? limit = limits is null ? null : LimitSeconds(isBeside ? limits with { ReadBytesPerS = Percentile.Median(reads) } : limits);
        return new BenchRow(Name, Tokens / median, Tokens / seconds.Max(), Tokens / seconds.Min(), Work / median / 1e9,
            Work / limit / 1e9, Unit, limit is null ? null : isBeside ? $"{LimitName} meanwhile" : LimitName, limit / median);
    }

    /// <summary>Whether that is faster than the machine can be.</summary>
    public bool IsFasterThan(BenchRun[] runs, ThreadLimits limits) =>
        LimitSeconds(limits) > Percentile.Median([.. runs.Select(run => run.Seconds)]);
}
