namespace Kvasir.KvCache.Blocks;

/// <summary>What tiers are called wherever a program or a person reads of one: metrics, answers, flags, counters.</summary>
public static class TierNames
{
    static readonly string[] s_names = [.. Enum.GetNames<Tier>().Select(name => name.ToLowerInvariant())];
    static readonly string[] s_keeping = s_names[..(int)Tier.Peer];

    /// <summary>The names of all tiers that blocks are kept in, the fastest tier's first.</summary>
    public static IReadOnlyList<string> All => s_keeping;

    /// <summary>The name, such as <c>device</c>.</summary>
    public static string Name(this Tier tier) => s_names[(int)tier];

    /// <summary>Finds a tier that blocks are kept in by its name.</summary>
    public static bool TryParse(string name, out Tier tier)
    {
        int index = Array.IndexOf(s_keeping, name);
        tier = (Tier)Math.Max(0, index);
        return index >= 0;
    }
}
