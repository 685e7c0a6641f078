namespace Kvasir.KvCache.Views;

/// <summary>How far a view reaches: prompts that go on behind it make a new one when too much stands behind it.</summary>
public static class ViewReach
{
    const int MostTail = 512; // tokens that are worth no new view, and a quarter of what it stands for

    /// <summary>Whether a view of so many positions leaves too much of a prefix whole.</summary>
    /// <param name="positions">Tokens that the view stands for.</param>
    /// <param name="prefix">Tokens that could be thinned.</param>
    public static bool IsTooShort(int positions, int prefix) => prefix - positions > Math.Max(MostTail, positions / 4);
}
