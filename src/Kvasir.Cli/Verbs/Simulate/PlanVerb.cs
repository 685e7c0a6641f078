using System.CommandLine;
using Kvasir.Cli.Verbs.Simulate;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>
/// <c>kvasir plan</c>: which machines and which split over the tiers serve a model's traffic in time, for the least money.
/// </summary>
static class PlanVerb
{
    const double UsualMachinePrice = 2, UsualHostPrice = 0.003, UsualDiskPrice = 0.0001, UsualStorePrice = 2.2; // memory, for a month

    static readonly Argument<string> s_traffic = new("TRAFFIC")
    {
        Description = "A trace, or a line that makes one, as for `kvasir "
        + "simulate`: chat:users=500,turns=8,system=1500,question=80,answer=300"
    };
    static readonly ModelFlags s_model = new();
    static readonly Option<string> s_ttft = new("--ttft")
    {
        Description = "Time to first token that nine tenths of the requests have to meet",
        DefaultValueFactory = _ => "1s", HelpName = "TIME",
    };
    static readonly Option<int> s_most = new("--most-machines")
    {
        Description = "Machines at most", DefaultValueFactory = _ => 64, CustomParser = Number.ParseWithin(1, 10_000), HelpName = "N",
    };
    static readonly Option<string> s_host = new("--host")
    {
        Description = "Most host memory of a machine for keys and values, and its speed, as in 1TiB@20GiB/s,20us; 0 for none",
        DefaultValueFactory = _ => "1TiB", HelpName = "SIZE",
    };
    static readonly Option<string> s_disk = new("--disk")
    {
        Description = "Most disk of a machine, likewise; 0 for none", DefaultValueFactory = _ => "16TiB", HelpName = "SIZE",
    };
    static readonly Option<string> s_remote = new("--remote")
    {
        Description = "Most room of a store that all machines share, and its speed and latency for one machine, as in 4TiB@1GiB/s,2ms; "
            + "0 for none",
        DefaultValueFactory = _ => "0", HelpName = "SIZE",
    };
    static readonly StoreFlags s_store = new(UsualStorePrice);
    static readonly Option<double?> s_price = Price("--price",
        $"Price of a machine's hour, all its devices together, in any currency; without it, {UsualMachinePrice}");
    static readonly Option<double?> s_hostPrice = Price("--host-price",
        $"Price of a GiB of memory for an hour; without it, {UsualHostPrice}");
    static readonly Option<double?> s_diskPrice = Price("--disk-price",
        $"Price of a GiB of disk for an hour; without it, {UsualDiskPrice}");
    static readonly Option<int?> s_blockTokens = new("--block-tokens")
    {
        Description = "Tokens of a block; without it, what the file says, 512 for Mooncake's, and 16 for made traffic",
        CustomParser = Number.ParseOptional<int>, HelpName = "N",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("plan") { s_traffic };
        s_model.AddTo(verb);
        foreach (Option option in (Option[])[s_ttft, s_most, s_host, s_disk, s_remote])
            verb.Options.Add(option);
        s_store.AddTo(verb);
        foreach (Option option in (Option[])[s_price, s_hostPrice, s_diskPrice, s_blockTokens, s_json])
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static Option<double?> Price(string name, string description) =>
        new(name) { Description = description, CustomParser = FleetFlags.Positive, HelpName = "MONEY" };

    static int Run(ParseResult parsed)
    {
        using Interrupt interrupt = new();
        try
        {
            return Run(parsed, interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    static int Run(ParseResult parsed, CancellationToken cancellation)
    {
        string traffic = parsed.GetRequiredValue(s_traffic);
        if (!Duration.TryParse(parsed.GetRequiredValue(s_ttft), out TimeSpan target) || target <= TimeSpan.Zero)
            throw new UsageException(
                $"--ttft {Formats.Printable.Quote(parsed.GetRequiredValue(s_ttft))}: expected a time such as 500ms or 2s");
        ServedModel model = s_model.Parse(parsed, cancellation)
            ?? throw new UsageException("--model: expected the model that is served, and --hardware that it is served on");
        if (parsed.GetValue(s_blockTokens) is < 1 or > TraceHeader.MostBlockTokens)
            throw new UsageException($"--block-tokens: expected 1 to {TraceHeader.MostBlockTokens}");
        SimulatedTier remote = TierText.Parse(Tier.Remote, parsed.GetRequiredValue(s_remote));
        StoreOptions store = s_store.Parse(parsed, remote);
        (Trace trace, _) = TraceSource.Load(traffic, parsed.GetValue(s_blockTokens), sort: false, cancellation);
        PlanOptions options = Options(parsed, trace, model, target.TotalSeconds, remote, store);
        Plan plan = WorkProgress.Show("trying fleets", progress => FleetPlanner.Run(options, progress, cancellation));
        PlanReport report = PlanReport.Of(options, plan, model.Words, model.Summary);
        if (parsed.GetValue(s_json))
            SimulateJson.Write(report);
        else
            report.Print();
        return plan.Best.IsEnough ? ExitCode.Ok : ExitCode.Failed;
    }

    static PlanOptions Options(ParseResult parsed, Trace trace, ServedModel model, double target, SimulatedTier remote,
        StoreOptions store) => new()
        {
            Trace = trace,
            Machine = new SimulationOptions
            {
                Store = store,
                Tiers = [TierText.Usual(Tier.Device,
                model.Shape.RoomBytes ?? throw new UsageException("--hardware: its memory is not known, so there is no telling what fits"))],
                BytesPerToken = model.Shape.BytesPerToken,
                Prefill = model.Shape.Prefill,
                SecondsPerOutputToken = model.Shape.SecondsPerOutputToken,
                Retention = model.Retention,
                PricePerHour = parsed.GetValue(s_price) ?? UsualMachinePrice,
            },
            Host = Offer(Tier.Host, parsed.GetRequiredValue(s_host), parsed.GetValue(s_hostPrice) ?? UsualHostPrice),
            Disk = Offer(Tier.Disk, parsed.GetRequiredValue(s_disk), parsed.GetValue(s_diskPrice) ?? UsualDiskPrice),
            Remote = remote.Bytes > 0 ? remote : null,
            TargetTtft = target,
            OutputTokensPerS = model.Retained?.OutputTokensPerS ?? model.Shape.OutputTokensPerS,
            MostMachines = parsed.GetValue(s_most),
        };

    static TierOffer? Offer(Tier tier, string text, double price) => TierText.Parse(tier, text) is { Bytes: > 0 } parsed
        ? new TierOffer(parsed, price)
        : null;
}
