using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Routing;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// One machine: its tiers, which are the books of the pools and the policies that serve requests, without memory; what it is doing; and
/// what waits for it. What a block's life is like in <see cref="KvCache.CachedSequence"/> it is here, too: found blocks come to the device,
/// computed ones are copied to the host, and at a request's end all count as used and go to the colder tiers.
/// </summary>
sealed class Machine
{
    /// <summary>Blocks that a machine remembers to have had computed by each other one, as nodes do.</summary>
    const int MostSent = 1 << 16;

    readonly SimulationOptions _options;
    readonly int _blockTokens, _mostBlocks;
    long _reclaimedBefore;

    /// <param name="options">The fleet.</param>
    /// <param name="blockTokens">Tokens of a block.</param>
    /// <param name="mostBlocks">Blocks that there can be: a tier with room for more is no larger.</param>
    /// <param name="remote">The store that all machines share, if there is one.</param>
    public Machine(SimulationOptions options, int blockTokens, int mostBlocks, TierBooks? remote)
    {
        (_options, _blockTokens, _mostBlocks) = (options, blockTokens, mostBlocks);
        Tiers = NewTiers(remote);
        Accounts = new(Tiers.Length);
    }

    /// <summary>The tiers, the warmest first.</summary>
    public TierBooks[] Tiers { get; private set; }

    /// <summary>What a policy has kept of prefixes, in the device's pool.</summary>
    public MachineViews Views { get; private set; } = new();

    /// <summary>Views that gave way, also on the machines whose place it took.</summary>
    public long Reclaimed => _reclaimedBefore + Views.Reclaimed;

    /// <summary>What loading and computing takes, as the engine learns it.</summary>
    public TransferCosts Costs { get; private set; } = new();

    /// <summary>How often it was replaced.</summary>
    public int Generation { get; private set; }

    /// <summary>What waits for it, in the order of arrival.</summary>
    public Queue<Visit> Waiting { get; } = [];

    /// <summary>What it loads or computes.</summary>
    public Visit? Current { get; set; }

    /// <summary>When it will have computed what it computes.</summary>
    public double BusyUntil { get; set; }

    /// <summary>Seconds that what waits will take, as estimated on arrival.</summary>
    public double Backlog { get; set; }

    /// <summary>What has come and has no token yet.</summary>
    public HashSet<Visit> Unanswered { get; } = [];

    /// <summary>Which prompts it had computed by which other machine.</summary>
    public PrefixMap Sent { get; private set; } = new(MostSent);

    /// <summary>Answers that are being generated.</summary>
    public int Answering { get; set; }

    /// <summary>Blocks that the store is to get or to hear of.</summary>
    public Queue<UsedBlock> Unwritten { get; } = [];

    /// <summary>Whether some of them are on their way.</summary>
    public bool IsWriting { get; set; }

    /// <summary>What it has served.</summary>
    public MachineAccounts Accounts { get; }

    /// <summary>Bytes of a block.</summary>
    public long BlockBytes => _options.BytesPerToken * _blockTokens;

    /// <summary>Tokens of so many blocks.</summary>
    public int TokensOf(int blocks) => blocks * _blockTokens;

    /// <summary>When its loss is known, and when an empty machine has taken its place.</summary>
    public double LossKnown { get; private set; }

    public double Back { get; private set; }

    /// <summary>Whether nobody sends it anything, since it is known to be lost.</summary>
    public bool IsKnownLost(double now) => now >= LossKnown && now < Back;

    /// <summary>When who sends it something will send it again, since it has no answer; null when it answers.</summary>
    public double? SilentUntil(double now) => now >= Back ? null : now < LossKnown ? LossKnown : Back;

    /// <summary>
    /// It is lost, and an empty one takes its place; the shared store stays. Returns what it was to serve and has not begun to answer.
    /// </summary>
    public List<Visit> Lose(double known, double back)
    {
        List<Visit> lost = [.. Unanswered.OrderBy(visit => visit.Request.Arrival)];
        (LossKnown, Back, Current, Answering, Backlog, BusyUntil, IsWriting) = (known, back, null, 0, 0, 0, false);
        Waiting.Clear();
        Unanswered.Clear();
        Unwritten.Clear();
        Replace();
        return lost;
    }

    void Replace()
    {
        TierBooks[] old = Tiers;
        Tiers = NewTiers(Tiers.FirstOrDefault(tier => tier.Tier == Tier.Remote));
        for (int i = 0; i < old.Length; i++)
            Tiers[i].TakeCounts(old[i]);
        _reclaimedBefore = Reclaimed;
        (Costs, Sent, Views) = (new(), new(MostSent), new());
        Generation++;
    }

    /// <summary>The warmest tier that has a block, as an index of <see cref="Tiers"/>; -1 for none.</summary>
    public int Find(BlockKey key)
    {
        for (int tier = 0; tier < Tiers.Length; tier++)
            if (Tiers[tier].Pool.Contains(key))
                return tier;
        return -1;
    }

    /// <summary>Whether a tier of its own has a block.</summary>
    public bool HasOfItsOwn(BlockKey key) => Find(key) is >= 0 and var tier && Tiers[tier].Tier != Tier.Remote;

    /// <summary>Blocks that are to come from another machine.</summary>
    public long AwaitedBlocks(Machine other) => Unanswered.Sum(visit => visit.Helper?.Machine == other ? visit.Awaited.Count : 0L);

    /// <summary>What it tells routers that it has to do.</summary>
    public NodeLoad Load(double now)
    {
        double left = Current is not { } current ? 0
            : current.Compute > 0 ? current.Missing * Math.Clamp((BusyUntil - now) / current.Compute, 0, 1) : current.Missing;
        return new NodeLoad(Answering + (Current is null ? 0 : 1), Waiting.Count,
            (long)left + Waiting.Sum(visit => visit.Missing), Costs.TokensPerSecond);
    }

    /// <summary>A block on the device, or in the host's memory, to be written elsewhere; null when neither has it.</summary>
    public BlockLease? Read(BlockKey key) =>
        Tiers[0].Pool.TryRead(key) ?? Array.Find(Tiers, tier => tier.Tier == Tier.Host)?.Pool.TryRead(key);

    /// <summary>Seconds to bring blocks from a tier to the device.</summary>
    public double LoadSeconds(int tier, int blocks) => tier == 0 || blocks == 0 ? 0 : Tiers[tier].Seconds(blocks * BlockBytes);

    /// <summary>A block that is found on the device, brought there, or null when there is no room for it or it has gone.</summary>
    public BlockLease? Take(int tier, BlockKey key, BlockKey parent)
    {
        BlockBooks device = Tiers[0].Pool;
        if (device.TryFind(key) is { } there)
            return there;
        return tier > 0 && TryAllocate() is { } own ? Registered(own, key, parent) : null;
    }

    /// <summary>Room for a block on the device: what nobody reads gives way, views last; null when there is none.</summary>
    public MutableBlock? TryAllocate()
    {
        MutableBlock? own;
        while ((own = Tiers[0].Pool.TryAllocate()) is null && Views.TryReclaim()) { }
        return own;
    }

    /// <summary>A computed block becomes known on the device, and is copied to the host.</summary>
    public BlockLease Keep(MutableBlock own, BlockKey key, BlockKey parent)
    {
        BlockLease lease = Registered(own, key, parent);
        CopyToHost(key, parent);
        return lease;
    }

    /// <summary>A block that was computed is copied to the host.</summary>
    public void CopyToHost(BlockKey key, BlockKey parent)
    {
        if (Array.Find(Tiers, tier => tier.Tier == Tier.Host) is { } host && !host.Pool.Contains(key))
            host.Add(key, parent, BlockBytes);
    }

    /// <summary>
    /// A request has ended that found or computed a block: it counts as used, in memory only if it was found, and the disk gets it if it
    /// lacks it; so does the shared store, in its own time. Report chains deepest first.
    /// </summary>
    public void EndRequest(BlockKey key, BlockKey parent, bool wasFound)
    {
        foreach (TierBooks tier in Tiers)
            if (tier.Tier == Tier.Disk)
                tier.UseOrAdd(key, parent, BlockBytes);
            else if (tier.Tier != Tier.Remote && wasFound)
                tier.Pool.Use(key);
    }

    static BlockLease Registered(MutableBlock own, BlockKey key, BlockKey parent) => own.Complete().Register(key, parent, []);

    TierBooks[] NewTiers(TierBooks? remote) => [.. _options.Tiers.Select(
        tier => tier.Tier == Tier.Remote && remote is not null ? remote : new TierBooks(tier, BlockBytes, _mostBlocks))];
}

/// <summary>What a machine has served.</summary>
sealed class MachineAccounts(int tiers)
{
    public long Requests { get; set; }

    public long InputTokens { get; set; }

    /// <summary>Tokens found, by tier.</summary>
    public long[] HitTokens { get; } = new long[tiers];

    public double PrefillSeconds { get; set; }

    public double RestoreSeconds { get; set; }

    /// <summary>Tokens that came from machines that compute for others.</summary>
    public long PeerTokens { get; set; }

    public NodeResult Result() => new(Requests, InputTokens, HitTokens, PrefillSeconds, RestoreSeconds, PeerTokens);
}
