using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>A counter that a durable tier keeps: the names are what its catalogue holds, and stand nowhere else.</summary>
public readonly record struct CounterName
{
    readonly string _name;

    CounterName(string name) => _name = name;

    /// <summary>Prompt tokens that were looked up.</summary>
    public static CounterName LookedUp { get; } = new("lookup.tokens");

    /// <summary>Blocks written.</summary>
    public static CounterName Written { get; } = new("write.blocks");

    /// <summary>Blocks that were to be written and were not.</summary>
    public static CounterName Dropped { get; } = new("write.dropped");

    /// <summary>Of the prompt tokens, those found in a tier.</summary>
    public static CounterName Hit(Tier tier) => new($"hit.tokens.{tier.Name()}");

    /// <summary>Of the prompt tokens, those not used, by the name of the reason.</summary>
    public static CounterName Missed(string reason) => new($"miss.tokens.{reason}");

    /// <summary>Bytes loaded from a tier.</summary>
    public static CounterName LoadedBytes(Tier tier) => new($"load.{tier.Name()}.bytes");

    /// <summary>Microseconds that it took.</summary>
    public static CounterName LoadedTime(Tier tier) => new($"load.{tier.Name()}.us");

    /// <summary>Of the bytes, those of loads that are large enough to tell a tier's speed.</summary>
    public static CounterName LargeLoadedBytes(Tier tier) => new($"load.{tier.Name()}.large.bytes");

    /// <summary>Microseconds that they took.</summary>
    public static CounterName LargeLoadedTime(Tier tier) => new($"load.{tier.Name()}.large.us");

    /// <summary>Blocks that came damaged or not at all, by the name of the outcome.</summary>
    public static CounterName Corrupt(string outcome) => new($"corrupt.{outcome}");

    /// <summary>Tokens that a model computed in prompts.</summary>
    public static CounterName PrefillTokens(Fingerprint model) => new($"prefill.tokens.{model}");

    /// <summary>Microseconds that it took.</summary>
    public static CounterName PrefillTime(Fingerprint model) => new($"prefill.us.{model}");

    /// <summary>The name.</summary>
    public override string ToString() => _name;
}
