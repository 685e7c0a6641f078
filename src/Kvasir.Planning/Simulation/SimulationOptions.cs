using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Routing;

namespace Kvasir.Planning.Simulation;

/// <summary>The fleet that a trace is replayed on.</summary>
public sealed record SimulationOptions
{
    /// <summary>Machines that answer, each with tiers of its own.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>
    /// Further machines that compute prompts for those, which then only answer; 0 when everybody computes its own.
    /// </summary>
    public int PrefillNodes { get; init; }

    /// <summary>The way between them.</summary>
    public PeerOptions Peers { get; init; } = new();

    /// <summary>Which machine serves a request.</summary>
    public Placement Placement { get; init; } = Placement.CacheAware;

    /// <summary>
    /// Routers that requests come to by turns, each with a map of its own of who has what; only some placements ask them.
    /// </summary>
    public int Routers { get; init; } = 1;

    /// <summary>The tiers of each machine, the warmest first.</summary>
    public required ImmutableArray<SimulatedTier> Tiers { get; init; }

    /// <summary>Bytes of a token's keys and values.</summary>
    public required long BytesPerToken { get; init; }

    /// <summary>What prefill takes.</summary>
    public required PrefillCost Prefill { get; init; }

    /// <summary>Seconds between two tokens of an answer; while it lasts, the request's blocks cannot be evicted.</summary>
    public double SecondsPerOutputToken { get; init; } = 0.03;

    /// <summary>What is kept of prompts; null for everything.</summary>
    public SimulatedRetention? Retention { get; init; }

    /// <summary>Speed at which blocks come from another machine, where <see cref="Placement.Block"/> keeps them.</summary>
    public double NetworkBytesPerS { get; init; } = 12.5e9;

    /// <summary>The store behind the remote tier, which all machines share.</summary>
    public StoreOptions Store { get; init; } = new();

    /// <summary>Price of a machine's hour, in whatever currency; 0 when money does not matter.</summary>
    public double PricePerHour { get; init; }

    /// <summary>What goes wrong, and when.</summary>
    public ImmutableArray<Fault> Faults { get; init; } = [];

    /// <summary>How long a machine is silent before it is known to be lost, and its requests are sent again.</summary>
    public TimeSpan LossKnownAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether nothing behind a missing block is used, as in caches that know beginnings only.</summary>
    public bool StopsAtHoles { get; init; }

    /// <summary>Seed of what is random: which blocks are lost.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Whether to compute <see cref="References.Belady"/>, which takes about as long as the simulation.</summary>
    public bool WantsBelady { get; init; } = true;

    /// <summary>
    /// Whether blocks can be used from the moment that a request arrives, as simpler simulations have it, and
    /// not only when they are computed.
    /// </summary>
    public bool IsInstant { get; init; }

    /// <summary>Throws when the options make no sense.</summary>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Nodes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Routers, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(PrefillNodes);
        Peers.Check();
        if (PrefillNodes > 0 && (IsInstant || Placement == Placement.Block))
            throw new ArgumentException("prefill nodes: expected time to go by, and each prompt on one machine");
        if (Retention is not null && (PrefillNodes > 0 || Placement == Placement.Block))
            throw new ArgumentException("retention: expected each prompt on the machine that answers it");
        ArgumentOutOfRangeException.ThrowIfLessThan(BytesPerToken, 1);
        if (Tiers.IsDefaultOrEmpty || Tiers[0].Tier != Tier.Device)
            throw new ArgumentException("tiers: the first has to be the device");
        if (!Tiers.Select(tier => tier.Tier).SequenceEqual(Tiers.Select(tier => tier.Tier).Distinct().Order()))
            throw new ArgumentException("tiers: expected each once, the warmest first");
        if (Tiers.FirstOrDefault(tier => !(tier.BytesPerS > 0) || tier.Latency < TimeSpan.Zero || tier.Bytes < 0) is { } odd)
            throw new ArgumentException($"tier {odd.Tier}: {odd.Bytes} bytes at {odd.BytesPerS} a second after {odd.Latency}, expected a "
                + $"speed above 0, and room and latency of 0 or more");
        Store.Check(Tiers.Any(tier => tier.Tier == Tier.Remote));
        if (Faults.FirstOrDefault(fault => fault.Node is { } node && (node < 0 || node >= Nodes + PrefillNodes)) is { } wrong)
            throw new ArgumentException($"fault on machine {wrong.Node}: there are {Nodes + PrefillNodes}, counted from 0");
    }
}

/// <summary>Which machine serves a request.</summary>
public enum Placement
{
    /// <summary>As routers do it (<see cref="RoutingPolicyKind.RoundRobin"/>): by turns.</summary>
    RoundRobin,

    /// <summary>
    /// Conversations stay on the machine that they began on, new ones by turns; what a conversation is, <see cref="TraceSessions"/> says.
    /// </summary>
    Session,

    /// <summary>By the first block of the prompt: what begins alike goes to the same machine.</summary>
    Chain,

    /// <summary>By turns, and each block lives on the machine that its key names: prefixes are gathered over the network.</summary>
    Block,

    /// <summary>Where the most of the prompt is, weighed against how long the machine is busy.</summary>
    CacheAware,

    /// <summary>
    /// As routers do it (<see cref="RoutingPolicyKind.Prefix"/>): like <see cref="CacheAware"/>, but by what they know, which is late and
    /// not all.
    /// </summary>
    Prefix,

    /// <summary>As routers do it (<see cref="RoutingPolicyKind.Affinity"/>): what begins alike goes to the same machine.</summary>
    Affinity,

    /// <summary>As routers do it (<see cref="RoutingPolicyKind.Random"/>).</summary>
    Random,
}

/// <summary>One tier of a machine; of the remote one, what the machine sees of the store that all share.</summary>
/// <param name="Tier">Which.</param>
/// <param name="Bytes">Room; <see cref="long.MaxValue"/> for unlimited.</param>
/// <param name="BytesPerS">Speed at which blocks come from it to the device; infinite for the device itself.</param>
/// <param name="Latency">Time before the first byte; of the remote tier, also before it has said what it holds.</param>
/// <param name="Policy">Eviction: <c>lru</c>, <c>s3-fifo</c> or <c>hit-density</c>.</param>
public sealed record SimulatedTier(Tier Tier, long Bytes, double BytesPerS, TimeSpan Latency, string Policy);

/// <summary>Seconds to compute <c>n</c> tokens after <c>p</c> others: <c>n·PerToken + (n·p + n(n+1)/2)·PerPair</c>.</summary>
/// <param name="SecondsPerToken">Products with the weights, of one token.</param>
/// <param name="SecondsPerPair">Attention of one token to one.</param>
public sealed record PrefillCost(double SecondsPerToken, double SecondsPerPair = 0)
{
    /// <summary>Seconds for tokens <c>[from, to)</c>.</summary>
    public double Seconds(long from, long to) =>
        (to - from) * SecondsPerToken + ((to - from) * (double)from + (to - from) * (to - from + 1.0) / 2) * SecondsPerPair;
}

/// <summary>Something that goes wrong at a time.</summary>
/// <param name="At">When, from the start of the trace.</param>
/// <param name="Kind">What.</param>
/// <param name="Node">On which machine; null for all.</param>
/// <param name="Amount">Of a slowdown the factor of the disk's time; of lost blocks the share, 0 to 1; of a lost machine the
/// seconds until an empty one takes its place, which is no sooner than the loss is known.</param>
public sealed record Fault(TimeSpan At, FaultKind Kind, int? Node, double Amount);

/// <summary>What can go wrong.</summary>
public enum FaultKind
{
    /// <summary>A machine says nothing any more, and in time an empty one takes its place.</summary>
    NodeLoss,

    /// <summary>Disks become slower.</summary>
    SlowDisk,

    /// <summary>Blocks are lost from all tiers, at random.</summary>
    BlockLoss,
}
