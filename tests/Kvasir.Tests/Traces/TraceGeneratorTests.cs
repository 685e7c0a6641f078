using System.Buffers.Binary;
using System.Security.Cryptography;
using CsCheck;
using Kvasir.Planning.Traces;
using Kvasir.Planning.Traces.Generators;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Traces;

/// <summary>Made traces: what holds for all of them, what each kind is for, and what is refused.</summary>
public class TraceGeneratorTests
{
    const string Chat = "chat:users=20,turns=5", System = "system:requests=300", Rag = "rag:requests=200", Scan = "scan:requests=20",
        Agent = "agent:tasks=5,steps=8,branch=0.3";

    static Trace Generate(string spec, int blockTokens = 16) =>
        TraceGenerator.Generate(spec, blockTokens, TestContext.Current.CancellationToken);

    /// <summary>Share of blocks that stood in an earlier request, or were left by one.</summary>
    static double Shared(Trace trace)
    {
        HashSet<long> seen = [];
        long found = 0, all = 0;
        foreach (TraceRequest request in trace.Requests)
        {
            found += request.Blocks.Count(seen.Contains);
            all += request.Blocks.Length;
            seen.UnionWith(request.Left!);
        }
        return (double)found / all;
    }

    [Theory]
    [InlineData(Chat, 16)]
    [InlineData(Chat, 512)]
    [InlineData(Chat + ",answer=0,system=0,question=1", 1)]
    [InlineData(System, 16)]
    [InlineData(Rag, 16)]
    [InlineData(Scan, 16)]
    [InlineData(Agent, 16)]
    [InlineData($"{Chat}+{Scan}+{Rag}", 64)]
    public void Traces_are_what_traces_must_be(string spec, int blockTokens)
    {
        Trace trace = Generate(spec, blockTokens);
        Assert.NotEmpty(trace.Requests);
        Assert.Equal((spec, blockTokens), (trace.Name, trace.BlockTokens));
        Assert.Equal(trace.Requests.Select(request => request.Arrival).Order(), trace.Requests.Select(request => request.Arrival));
        Dictionary<long, long> before = []; // an id names all that stands before it, too
        foreach (TraceRequest request in trace.Requests)
        {
            Assert.Equal((request.InputTokens + blockTokens - 1) / blockTokens, request.Blocks.Length);
            Assert.Equal((request.InputTokens + Math.Max(0, request.OutputTokens - 1)) / blockTokens, request.Left!.Length);
            Assert.Equal(request.Blocks[..(request.InputTokens / blockTokens)], request.Left[..(request.InputTokens / blockTokens)]);
            foreach (long[] ids in (long[][])[request.Blocks, request.Left])
                for (int i = 0; i < ids.Length; i++)
                    Assert.True(before.TryAdd(ids[i], i == 0 ? -1 : ids[i - 1]) || before[ids[i]] == (i == 0 ? -1 : ids[i - 1]),
                        $"block {ids[i]} stands behind two prefixes");
        }
    }

    [Fact]
    public void They_are_read_as_they_were_written()
    {
        using var folder = new TemporaryFolder();
        Trace trace = Generate(Agent);
        using (var writer = new TraceWriter(folder["t.jsonl"], new TraceHeader(16)))
            foreach (TraceRequest request in trace.Requests)
                writer.Write(request);
        Assert.Equivalent(trace.Requests,
            TraceReader.Read(folder["t.jsonl"], cancellation: TestContext.Current.CancellationToken).Trace.Requests, strict: true);
    }

    /// <summary>
    /// Pinned: another number here means that traces of an equal line are no longer equal on another machine or in another version.
    /// </summary>
    [Theory]
    [InlineData(Chat, "824c6703370ec73d")]
    [InlineData(System, "a239de10fe457a30")]
    [InlineData(Rag, "1401e4ec7dc04edb")]
    [InlineData(Scan, "37c1709ba696a7e3")]
    [InlineData(Agent, "ee6628a581d4a994")]
    public void They_are_the_same_everywhere(string spec, string digest)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (TraceRequest request in Generate(spec).Requests)
            foreach (long value in (long[])[request.Arrival.Ticks, request.InputTokens, request.OutputTokens,
                .. request.Blocks, .. request.Left!])
            {
                byte[] bytes = new byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
                hash.AppendData(bytes);
            }
        Assert.Equal(digest, Convert.ToHexStringLower(hash.GetHashAndReset())[..16]);
    }

    [Fact]
    public void Seeds_make_a_difference()
    {
        Assert.Equivalent(Generate(Chat), Generate(Chat), strict: true);
        Assert.NotEqual(Generate(Chat).Requests[0].Arrival, Generate(Chat + ",seed=2").Requests[0].Arrival);
    }

    [Fact]
    public void A_turn_contains_all_before_it()
    {
        Trace trace = Generate("chat:users=1,turns=6,system=100");
        Assert.Equal(6, trace.Requests.Count);
        foreach ((TraceRequest turn, TraceRequest next) in trace.Requests.Zip(trace.Requests.Skip(1)))
        {
            Assert.True(next.InputTokens > turn.InputTokens + turn.OutputTokens);
            Assert.Equal(turn.Left!, next.Blocks[..turn.Left!.Length]);
        }
    }

    [Fact]
    public void Each_kind_shares_what_it_should()
    {
        Assert.Equal(0, Shared(Generate(Scan)));
        Assert.InRange(Shared(Generate(Chat)), 0.85, 0.999);
        Assert.InRange(Shared(Generate(System)), 0.7, 0.95);
        Assert.InRange(Shared(Generate(Agent)), 0.85, 0.99);
        const string few = "rag:documents=8,pick=4,requests=300";
        Assert.True(Shared(Generate(few + ",shuffle=0")) > Shared(Generate(few)) + 0.15, "order does not matter");
    }

    [Fact]
    public void Parts_share_no_blocks()
    {
        long[] chat = [.. Generate(Chat).Requests.SelectMany(request => request.Left!).Distinct()];
        long[] both = [.. Generate($"{Chat}+{Chat}").Requests.SelectMany(request => request.Left!).Distinct()];
        Assert.Equal(2 * chat.Length, both.Length);
    }

    [Theory]
    [InlineData("chta", "generator 'chta': expected one of chat, system, rag, scan, agent")]
    [InlineData("chat+", "generator '': expected one of chat, system, rag, scan, agent")]
    [InlineData("scan:user=5", "scan: no parameter 'user': expected requests, rate, tokens, answer, seed")]
    [InlineData("chat:users", "chat: users '': expected a whole number from 1 to 1000000")]
    [InlineData("chat:users=0", "chat: users '0': expected a whole number from 1 to 1000000")]
    [InlineData("chat:users=1.5", "chat: users '1.5': expected a whole number from 1 to 1000000")]
    [InlineData("chat:users=1e3", "chat: users '1e3': expected a whole number from 1 to 1000000")]
    [InlineData("chat:users=NaN", "chat: users 'NaN': expected a whole number from 1 to 1000000")]
    [InlineData("chat:think=-1", "chat: think '-1': expected a number from 0 to 86400")]
    [InlineData("chat:users=1,users=2", "chat: users is there twice: expected once")]
    [InlineData("scan:requests=10000000,tokens=10000000",
        "the trace would have more than 67,108,864 ids of blocks: expected fewer or shorter requests, or larger blocks")]
    [InlineData("chat:prompts=1000000,system=10000000",
        "the trace would have more than 67,108,864 ids of blocks: expected fewer or shorter requests, or larger blocks")]
    [InlineData("chat:users=1,turns=10000,question=10000000",
        "a prompt would have more than 134,217,728 tokens: expected shorter or fewer parts")]
    public void What_makes_no_sense_is_refused(string spec, string expected) =>
        Assert.Equal(expected, Assert.Throws<ArgumentException>(
            () => Generate(spec, spec.StartsWith("chat:users=1,turns=10000", StringComparison.Ordinal) ? 1 << 20 : 16)).Message);

    [Fact]
    public void The_page_about_traces_lists_what_can_be_set()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Checkout.Root, "docs/traces.md"));
        foreach (Workload workload in TraceGenerator.Workloads)
            Assert.Equal(
                workload.Parameters.Select(parameter => $"| `{parameter.Name}` | {parameter.Default:#,0.####} | {parameter.Description} |"),
                lines.SkipWhile(line => line != $"### `{workload.Name}`")
                    .SkipWhile(line => !line.StartsWith("|---", StringComparison.Ordinal)).Skip(1)
                    .TakeWhile(line => line.StartsWith("| `", StringComparison.Ordinal)));
    }

    [Fact]
    public void Names_of_files_are_no_lines()
    {
        Assert.All(["chat", "chat:users=1", "scan+chat", "rag:"], spec => Assert.True(TraceGenerator.IsSpec(spec)));
        Assert.All(["chat.jsonl", "./chat", "chats", "agents:x", ""], spec => Assert.False(TraceGenerator.IsSpec(spec)));
    }

    [Fact]
    public void Pauses_are_exponential()
    {
        var draws = new RandomDraws(1);
        double[] pauses = [.. Enumerable.Range(0, 100_000).Select(_ => draws.Pause(2).TotalSeconds)];
        Assert.Equal(2, pauses.Average(), 0.03);
        foreach (double bound in (double[])[0.5, 1, 2, 4, 8])
            Assert.Equal(Math.Exp(-bound / 2), pauses.Count(pause => pause > bound) / 100_000.0, 0.006);
    }

    [Fact]
    public void Popularity_follows_the_rank()
    {
        var draws = new RandomDraws(1);
        var zipf = new Zipf(10, 1.2);
        int[] drawn = [.. Enumerable.Range(0, 100_000).Select(_ => zipf.Draw(draws))];
        double all = Enumerable.Range(1, 10).Sum(rank => Math.Pow(rank, -1.2));
        for (int rank = 0; rank < 10; rank++)
            Assert.Equal(Math.Pow(rank + 1, -1.2) / all, drawn.Count(seen => seen == rank) / 100_000.0, 0.006);
        Gen.Select(Gen.Double[1, 1e6], Gen.Double[0, 8])
            .Sample((value, exponent) => Assert.Equal(1, Zipf.Power(value, exponent) / Math.Pow(value, exponent), 1e-6));
    }
}
