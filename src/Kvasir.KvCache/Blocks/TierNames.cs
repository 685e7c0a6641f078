namespace Kvasir.KvCache.Blocks;

/// <summary>What tiers are called wherever a program or a person reads of one: metrics, answers, flags, counters.</summary>
public static class TierNames
{
    static readonly string[] s_names = [.. Enum.GetNames<Tier>().Select(name => name.ToLowerInvariant())];

    /// <summary>All names, the fastest tier's first.</summary>
    public static IReadOnlyList<string> All => s_names;

    /// <summary>The name, such as <c>device</c>.</summary>
    public static string Name(this Tier tier) => s_names[(int)tier];

    /// <summary>Finds a tier by its name.</summary>
    public static bool TryParse(string name, out Tier tier)
    {
        int index = Array.IndexOf(s_names, name);
        tier = (Tier)Math.Max(0, index);
        return index >= 0;
    }
}
