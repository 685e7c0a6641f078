using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>What a fleet is planned for, and what it may consist of.</summary>
public sealed record PlanOptions
{
    /// <summary>The traffic.</summary>
    public required Trace Trace { get; init; }

    /// <summary>One machine with its device tier, to which others are added: room, speed and price.</summary>
    public required SimulationOptions Machine { get; init; }

    /// <summary>Memory behind the device that can be bought; null for none.</summary>
    public TierOffer? Host { get; init; }

    /// <summary>Disks that can be bought; null for none.</summary>
    public TierOffer? Disk { get; init; }

    /// <summary>
    /// A store that all machines can share: the most room that it may have, and what a machine sees of it; its prices are those of the
    /// machine's <see cref="SimulationOptions.Store"/>. Null for none.
    /// </summary>
    public SimulatedTier? Remote { get; init; }

    /// <summary>Seconds in which <see cref="Share"/> of the requests have to have their first token.</summary>
    public required double TargetTtft { get; init; }

    /// <summary>
    /// Tokens of all answers together that a machine generates in a second when it does nothing else; what it needs
    /// for them it has not for prompts.
    /// </summary>
    public double OutputTokensPerS { get; init; } = double.PositiveInfinity;

    /// <summary>That share: 0.5, 0.9 or 0.99.</summary>
    public double Share { get; init; } = 0.9;

    /// <summary>More machines than this are not considered.</summary>
    public int MostMachines { get; init; } = 64;
}

/// <summary>A tier that a machine can have.</summary>
/// <param name="Tier">Its speed and policy, and the most bytes that a machine takes.</param>
/// <param name="PricePerGiBHour">What a GiB costs an hour, in the currency of the machines.</param>
public sealed record TierOffer(SimulatedTier Tier, double PricePerGiBHour)
{
    /// <summary>What so many bytes cost an hour.</summary>
    public double PricePerHour(long bytes) => bytes / (double)(1L << 30) * PricePerGiBHour;
}

/// <summary>A fleet that was tried.</summary>
/// <param name="Machines">How many machines.</param>
/// <param name="HostBytes">Host tier of each.</param>
/// <param name="DiskBytes">Disk tier of each.</param>
/// <param name="RemoteBytes">The store that they share.</param>
/// <param name="Ttft">Seconds in which the wanted share of requests had its first token.</param>
/// <param name="Load">Share of the machines' time that prompts, restoring and answers take.</param>
/// <param name="PricePerHour">Of all machines and tiers, and of the store.</param>
/// <param name="IsEnough">Whether it meets the target, with time to spare.</param>
/// <param name="Result">What the simulation gave.</param>
public sealed record PlannedFleet(int Machines, long HostBytes, long DiskBytes, long RemoteBytes, double Ttft, double Load,
    double PricePerHour, bool IsEnough, SimulationResult Result);

/// <summary>What a fleet would be if something were different.</summary>
/// <param name="Change">What is different.</param>
/// <param name="Fleet">The same fleet under it, or, if <paramref name="IsReplanned"/>, the cheapest that is enough.</param>
/// <param name="IsReplanned">Whether the number of machines was chosen anew.</param>
public sealed record PlanVariant(string Change, PlannedFleet Fleet, bool IsReplanned);

/// <summary>What is recommended, and why.</summary>
/// <param name="Best">The cheapest fleet that is enough; if none is, the fastest that was tried.</param>
/// <param name="Tried">Every split over the tiers, each with as few machines as are enough, the cheapest first.</param>
/// <param name="WithoutTiers">The cheapest that has the device only.</param>
/// <param name="Removals">The best fleet without one of its tiers, with as many machines as that takes: what each tier saves.</param>
/// <param name="Sensitivity">The best fleet when something is not as planned.</param>
public sealed record Plan(PlannedFleet Best, IReadOnlyList<PlannedFleet> Tried, PlannedFleet WithoutTiers,
    IReadOnlyList<PlanVariant> Removals, IReadOnlyList<PlanVariant> Sensitivity);
