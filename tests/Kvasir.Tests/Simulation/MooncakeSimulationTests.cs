using System.Text.Json;
using Kvasir.Inference.Simulation;
using Kvasir.Inference.Traces;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Simulation;

public sealed class MooncakeSimulationTests
{
    static Trace Read() => new("mooncake", 512, [.. File.ReadLines(Path.Combine("/work/shared", "traces", "mooncake_conversation.jsonl")).Select(line =>
    {
        JsonElement e = JsonDocument.Parse(line).RootElement;
        return new TraceRequest(TimeSpan.FromMilliseconds(e.GetProperty("timestamp").GetInt64()), e.GetProperty("input_length").GetInt32(), e.GetProperty("output_length").GetInt32(), [.. e.GetProperty("hash_ids").EnumerateArray().Select(x => x.GetInt64())]);
    })]);

    [Fact]
    public void Golden()
    {
        Trace trace = Read();
        foreach (bool instant in (bool[])[true, false])
            foreach (string policy in (string[])["lru", "s3-fifo"])
                foreach (int blocks in (int[])[10_000, 50_000, 1_000_000])
                {
                    long start = System.Diagnostics.Stopwatch.GetTimestamp();
                    SimulationResult r = Simulator.Run(trace, new SimulationOptions { IsInstant = instant, BytesPerToken = 1000, Prefill = new PrefillCost(1 / 50000.0), Tiers = [new SimulatedTier(Tier.Device, blocks * 512_000L, double.PositiveInfinity, TimeSpan.Zero, policy)] }, null, TestContext.Current.CancellationToken);
                    TestContext.Current.TestOutputHelper!.WriteLine($"{instant} {policy} {blocks}: {r.BlockHitRate:P2} tokens {r.TokenHitRate:P2} inf {r.References.Infinite:P2} belady {r.References.Belady:P2} ttft {r.Ttft} {System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds:0.00} s unreachable {r.Tiers[0].Unreachable}/{r.Tiers[0].Resident}");
                }
    }
}
