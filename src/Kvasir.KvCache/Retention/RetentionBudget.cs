using System.Globalization;

namespace Kvasir.KvCache.Retention;

/// <summary>How much a policy may keep.</summary>
public abstract record RetentionBudget
{
    RetentionBudget() { }

    /// <summary>
    /// A share of the bytes that the exact prefix takes in the pool; scales and unused room of the view count.
    /// </summary>
    /// <param name="Of">Above 0, at most 1.</param>
    public sealed record Share(decimal Of) : RetentionBudget
    {
        /// <inheritdoc/>
        public override string ToString() => (100 * Of).ToString("0.############", CultureInfo.InvariantCulture) + "%";
    }

    /// <summary>Positions of a head, on average.</summary>
    /// <param name="PerHead">At least 1.</param>
    public sealed record Tokens(int PerHead) : RetentionBudget
    {
        /// <inheritdoc/>
        public override string ToString() => PerHead.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Bytes of the pool; scales and unused room of the view count.</summary>
    /// <param name="Of">At least 1.</param>
    public sealed record Bytes(long Of) : RetentionBudget
    {
        /// <summary>In the largest unit of which it is a whole number.</summary>
        public override string ToString()
        {
            int unit = Math.Min(Units.Length - 1, (int)long.TrailingZeroCount(Of) / 10);
            return (Of >> 10 * unit).ToString(CultureInfo.InvariantCulture) + Units[unit];
        }
    }

    static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>Reads <c>25%</c>, <c>512</c> (tokens per head) or <c>64MiB</c>; null when it is none of them.</summary>
    internal static RetentionBudget? Find(string text)
    {
        if (text.EndsWith('%'))
            return Number(text[..^1]) is > 0 and <= 100 and var percent ? new Share(percent / 100) : null;
        int unit = Array.FindIndex(Units, 1, name => text.EndsWith(name, StringComparison.OrdinalIgnoreCase));
        if (unit < 0 && text.EndsWith(Units[0], StringComparison.OrdinalIgnoreCase))
            unit = 0;
        if (unit >= 0)
            return Number(text[..^Units[unit].Length]) is > 0 and < 1L << 53 and var size
                && size * (1L << 10 * unit) is >= 1 and <= long.MaxValue and var bytes ? new Bytes((long)bytes) : null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int tokens) && tokens > 0
            ? new Tokens(tokens)
            : null;
    }

    static decimal? Number(string text) =>
        text.Length <= 24 && decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            ? number
            : null;
}
