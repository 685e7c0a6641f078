using System.CommandLine;
using System.Globalization;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>The flags that say which fleet a trace is replayed on.</summary>
sealed class FleetFlags
{
    /// <summary>Llama 3 8B in 16 bits: 2 · 32 layers · 8 heads · 128 elements · 2 bytes.</summary>
    const long UsualBytesPerToken = 131_072;

    const double UsualPrefill = 10_000;

    readonly ModelFlags _model = new();
    readonly Option<int> _nodes = new("--nodes")
    {
        Description = "Machines, each with tiers of its own", DefaultValueFactory = _ =>
        1, CustomParser = Number.ParseWithin(1, 10_000), HelpName = "N"
    };
    readonly Option<string> _placement = new("--placement")
    {
        Description = $"Which machine serves a request: {string.Join(", ", PlacementText.Names)}",
        DefaultValueFactory = _ => "cache-aware", HelpName = "HOW",
    };
    readonly Option<int> _prefillNodes = new("--prefill-nodes")
    {
        Description = "Further machines that compute prompts for those, which then only answer",
        DefaultValueFactory = _ => 0, CustomParser = Number.ParseWithin(0, 10_000), HelpName = "N",
    };
    readonly Option<string?> _peers = new("--peer-bandwidth")
    {
        Description = "What a machine that computes prompts can send to others, and the latency, as in 10GiB/s,100us; without it, 12.5e9 "
            + "bytes a second and 100us",
        HelpName = "SPEED",
    };
    readonly Option<int> _routers = new("--routers")
    {
        Description = "Routers that requests come to by turns, each with a map of its own of who has what, for --placement prefix",
        DefaultValueFactory = _ => 1, CustomParser = Number.ParseWithin(1, 100), HelpName = "N",
    };
    readonly Option<string?> _device = TierOption("--device",
        "Room of the device tier on each machine; without it, what --hardware has beside the weights, or 16GiB");
    readonly Option<string?> _host = TierOption("--host",
        "Room of the host tier, and its speed if it is not the usual, as in 64GiB@20GiB/s,20us; 0 for none. Without it, 64GiB");
    readonly Option<string?> _disk = TierOption("--disk", "Room of the disk tier, likewise: SIZE@SPEED,LATENCY. Without it, none");
    readonly Option<string?> _remote = TierOption("--remote",
        "Room of the remote store that all machines share, and its speed and latency for one machine, likewise. Without it, none");
    readonly StoreFlags _store = new();
    readonly Option<string?> _policy = new("--policy")
    {
        Description = "Eviction: lru, s3-fifo or hit-density for all tiers, or for some, as in host=hit-density,disk=lru; without it, what serving uses",
        HelpName = "P",
    };
    readonly Option<long?> _bytes = new("--bytes-per-token")
    {
        Description = "Keys and values of a token; without it, of --model, or what the trace says, or 128KiB (Llama 3 8B in 16 bits)",
        CustomParser = ByteSize.Parse, HelpName = "SIZE",
    };
    readonly Option<double?> _prefill = new("--prefill")
    {
        Description = "Tokens of a prompt that a machine computes in a second; without it, of --model on --hardware, or 10000",
        CustomParser = Positive, HelpName = "TOK/S",
    };
    readonly Option<double?> _decode = new("--decode")
    {
        Description = "Tokens of one answer in a second, during which its blocks are held; without it, of --model on --hardware, or 33",
        CustomParser = Positive, HelpName = "TOK/S",
    };
    readonly Option<long> _network = new("--network")
    {
        Description = "Bytes per second between machines, for --placement block", DefaultValueFactory = _ => 12_500_000_000,
        CustomParser = result => ByteSize.Parse(result) ?? 0, HelpName = "SIZE",
    };
    readonly Option<int> _seed = new("--seed")
    {
        Description = "Start of the random numbers that say which blocks are lost", DefaultValueFactory = _ => 1,
        CustomParser = Number.Parse<int>, HelpName = "N",
    };
    readonly Option<double?> _price = new("--price")
    {
        Description = "Price of a machine's hour, in any currency", CustomParser = Positive, HelpName = "MONEY",
    };
    readonly Option<string[]> _faults = new("--fault")
    {
        Description = "What goes wrong: node-loss@600s:node=1,for=5min, slow-disk@10min:factor=8, "
        + "block-loss@1h:share=0.1; may be given several times", HelpName = "F"
    };
    readonly Option<bool> _prefixOnly = new("--prefix-only")
    {
        Description = "Nothing behind a missing block is used, as in caches that know beginnings only",
    };
    readonly Option<bool> _instant = new("--instant")
    {
        Description = "Blocks can be used from the moment that a request arrives, as in simpler simulations, and nobody waits",
    };

    static Option<string?> TierOption(string name, string description) => new(name) { Description = description, HelpName = "SIZE" };

    public void AddTo(Command verb)
    {
        _model.AddTo(verb);
        foreach (Option option in (Option[])[_nodes, _prefillNodes, _peers, _placement, _routers, _device, _host, _disk, _remote])
            verb.Options.Add(option);
        _store.AddTo(verb);
        foreach (Option option in (Option[])[_policy, _bytes, _prefill, _decode, _network, _price, _faults, _seed, _prefixOnly, _instant])
            verb.Options.Add(option);
    }

    /// <summary>
    /// The fleet, of which the trace may know the size of keys and values, and what of it follows from a model, in words.
    /// </summary>
    public (SimulationOptions Options, ServedModel? Model) Parse(ParseResult parsed, long? traceBytesPerToken,
        CancellationToken cancellation)
    {
        ServedModel? model = _model.Parse(parsed, cancellation);
        MachineShape? shape = model?.Shape;
        Fault[] faults = [.. (parsed.GetValue(_faults) ?? []).Select(FaultText.Parse)];
        int nodes = parsed.GetValue(_nodes), prefillNodes = parsed.GetValue(_prefillNodes);
        if (faults.FirstOrDefault(fault => fault.Node >= nodes + prefillNodes) is { } wrong)
            throw new UsageException($"--fault: node={wrong.Node}, expected 0 to {nodes + prefillNodes - 1}");
        SimulationOptions options = new()
        {
            Nodes = nodes,
            PrefillNodes = prefillNodes,
            Peers = Peers(parsed.GetValue(_peers), prefillNodes),
            Placement = PlacementText.Parse("--placement", parsed.GetRequiredValue(_placement)),
            Routers = parsed.GetValue(_routers),
            Tiers = [.. Tiers(parsed, shape?.RoomBytes)],
            Store = _store.Parse(parsed, TierText.Parse(Tier.Remote, parsed.GetValue(_remote))),
            BytesPerToken = parsed.GetValue(_bytes) switch
            {
                0 => throw new UsageException("--bytes-per-token 0: expected more"),
                var given =>
                    given ?? shape?.BytesPerToken ?? traceBytesPerToken ?? UsualBytesPerToken,
            },
            Prefill = parsed.GetValue(_prefill) is { } speed
                ? new PrefillCost(1 / speed)
                : shape?.Prefill ?? new PrefillCost(1 / UsualPrefill),
            SecondsPerOutputToken = 1 / parsed.GetValue(_decode) ?? shape?.SecondsPerOutputToken ?? 0.03,
            Retention = Retention(parsed, model),
            NetworkBytesPerS = parsed.GetValue(_network) is > 0 and var network
                ? network
                : throw new UsageException("--network 0: expected more"),
            Seed = parsed.GetValue(_seed),
            PricePerHour = parsed.GetValue(_price) ?? 0,
            Faults = [.. faults],
            StopsAtHoles = parsed.GetValue(_prefixOnly),
            IsInstant = parsed.GetValue(_instant),
        };
        if (prefillNodes > 0 && options.IsInstant)
            throw new UsageException("--prefill-nodes: expected no --instant, since what they do is take time");
        if (prefillNodes > 0 && options.Placement == Placement.Block)
            throw new UsageException("--prefill-nodes: expected another --placement than block, which spreads prompts over machines");
        if (options.Retention is not null && (prefillNodes > 0 || options.Placement == Placement.Block))
            throw new UsageException("--kv-retain: expected each prompt on the machine that answers it, so no --prefill-nodes and no "
                + "--placement block");
        return (options, model);
    }

    /// <summary>What is kept; answers are as fast as is said, if it is.</summary>
    SimulatedRetention? Retention(ParseResult parsed, ServedModel? model) =>
        model?.Retention is { } kept && parsed.GetValue(_decode) is not null
            ? kept with { SecondsPerOutputToken = null }
            : model?.Retention;

    static PeerOptions Peers(string? text, int prefillNodes)
    {
        if (text is null)
            return new PeerOptions();
        if (prefillNodes == 0)
            throw new UsageException($"--peer-bandwidth {Printable.Quote(text)}: expected --prefill-nodes that send something, too");
        string[] parts = text.Split(',', 2);
        TimeSpan latency = new PeerOptions().Latency;
        if (TierText.Speed(parts[0]) is not { } speed || parts.Length > 1 && !Duration.TryParse(parts[1], out latency))
            throw new UsageException($"--peer-bandwidth {Printable.Quote(text)}: expected a speed such as 10GiB/s, or 10GiB/s,100us");
        return new PeerOptions { BytesPerS = speed, Latency = latency };
    }

    IEnumerable<SimulatedTier> Tiers(ParseResult parsed, long? room)
    {
        SimulatedTier[] tiers = [parsed.GetValue(_device) is null && room is { } bytes
            ? TierText.Usual(Tier.Device, bytes)
            : TierText.Parse(Tier.Device, parsed.GetValue(_device)), TierText.Parse(Tier.Host, parsed.GetValue(_host)),
            TierText.Parse(Tier.Disk, parsed.GetValue(_disk)), TierText.Parse(Tier.Remote, parsed.GetValue(_remote))];
        if (tiers[0].Bytes == 0)
            throw new UsageException("--device 0: expected more, since attention reads from there");
        Func<Tier, string?> policy = Policies(parsed.GetValue(_policy));
        return tiers.Where(tier => tier.Bytes > 0).Select(tier => tier with { Policy = policy(tier.Tier) ?? tier.Policy });
    }

    static Func<Tier, string?> Policies(string? text)
    {
        if (text is null)
            return _ => null;
        if (TierText.Policies.Contains(text))
            return _ => text;
        Dictionary<string, string> byTier = [];
        foreach (string[] pair in text.Split(',').Select(pair => pair.Split('=', 2)))
            if (pair.Length < 2 || !TierText.Policies.Contains(pair[1]) || !TierNames.All.Contains(pair[0])
                || !byTier.TryAdd(pair[0], pair[1]))
                throw new UsageException($"--policy {Printable.Quote(text)}: expected {TierText.PolicyNames}, or "
                    + $"TIER=POLICY for some of device, host, disk, remote");
        return tier => byTier.GetValueOrDefault(tier.Name());
    }

    internal static double? Positive(System.CommandLine.Parsing.ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            && value is > 0 and <= 1e12)
            return value;
        result.AddError(
            $"{((System.CommandLine.Parsing.OptionResult)result.Parent!).Option.Name} {Printable.Quote(text)}: expected a number above 0");
        return null;
    }
}
