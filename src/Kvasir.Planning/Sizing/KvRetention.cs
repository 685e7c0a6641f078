using System.Globalization;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Planning.Sizing;

/// <summary>What is kept of sequences: everything, or a policy's view.</summary>
/// <param name="Policy">The policy; null for everything.</param>
/// <param name="FastGenShare">The share of positions that FastGen alone keeps, as it was measured; null with other policies.</param>
public sealed record KvRetention(RetentionPolicy? Policy, double? FastGenShare = null)
{
    const string Kept = ",kept=";

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public const string Forms = RetentionPolicy.Forms + "; what fastgen:T alone keeps depends on the text and is said as ,kept=55%";

    /// <summary>Every token is kept.</summary>
    public static KvRetention Everything { get; } = new((RetentionPolicy?)null);

    /// <summary>
    /// Reads a policy as users write it; of <c>fastgen:T</c> alone, with the share of positions that it was seen to keep.
    /// </summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static KvRetention Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int at = text.IndexOf(Kept, StringComparison.OrdinalIgnoreCase), end = at < 0 ? -1 : text.IndexOf(',', at + 1);
        string share = at < 0 ? "" : end < 0 ? text[(at + Kept.Length)..] : text[(at + Kept.Length)..end];
        RetentionPolicy? policy = RetentionPolicy.Parse(at < 0 ? text : text[..at] + (end < 0 ? "" : text[end..]));
        bool isOpen = policy is { Scorer: RetentionScorer.FastGen, Budget: null };
        return (at >= 0) == isOpen ? new KvRetention(policy, isOpen ? Share(text, share) : null)
            : throw new ArgumentException($"retention {Printable.Quote(text)}: " + (isOpen
                ? "what FastGen keeps depends on the text, expected the share that was measured behind it, such as ,kept=55%"
                : "kept= is for fastgen:T alone, the others have a budget"));
    }

    /// <summary>What a sequence takes.</summary>
    /// <exception cref="ArgumentException">
    /// The policy would change nothing, since no layer attends to everything, or rows do not fit its codecs.
    /// </exception>
    public KvUse Of(KvSize size, long tokens)
    {
        ArgumentNullException.ThrowIfNull(size);
        if (Policy is null)
            return KvUse.OfEverything(size, tokens);
        if (Policy.ReadsPages)
            return KvUse.OfEverything(size, tokens) with { ReadBytes = ReadBytes(size, tokens) };
        // A view is of whole blocks; what is behind them lies in a block of its own.
        long[] rows = Rows(size);
        long rest = tokens % KvSize.BlockTokens, tail = size.WholeBytes(rest);
        RetentionShape shape = Shape(size, tokens - rest, rows);
        if (RetentionSelection.Estimate(Policy, shape, FastGenShare) is not { } view)
            return KvUse.OfEverything(size, tokens) with { Bytes = size.StateBytes + shape.ExactBytes + tail };
        long[] seen = [.. size.Layers.Select(layer => layer is null ? 0 : layer.Window is { } window
            ? layer.KvHeads * Math.Clamp(window - rest, 0, tokens - rest)
            : view.Positions[layer.Producer])];
        return new KvUse(size.StateBytes + view.Slots * shape.SlotBytes + tail,
            seen.Zip(rows, (n, bytes) => n * bytes).Sum() + size.ReadBytes(rest),
            seen.Where((_, layer) => size.Layers[layer]?.Producer == layer).Sum() + size.Rows(rest));
    }

    /// <summary>Bytes of the pool that a view of a prefix takes; null where the prefix is kept whole.</summary>
    /// <param name="size">The model's keys and values.</param>
    /// <param name="tokens">Tokens of the prefix: whole blocks.</param>
    /// <exception cref="ArgumentException">As <see cref="Of"/> has it.</exception>
    public long? ViewBytes(KvSize size, long tokens)
    {
        ArgumentNullException.ThrowIfNull(size);
        return Policy is { ReadsPages: false }
            && RetentionSelection.Estimate(Policy, Shape(size, tokens, Rows(size)), FastGenShare) is { } view
            ? view.Slots * size.WholeBlockBytes
            : null;
    }

    /// <summary>
    /// What a step reads of pages: as many as the budget has, and the bounds of all. Without a budget, the text says how many: all at most.
    /// </summary>
    long ReadBytes(KvSize size, long tokens)
    {
        int position = (int)Math.Clamp(tokens - 1, 0, int.MaxValue - PageBounds.GroupTokens);
        long read = PageReads.Budget(Policy!, position) is { } pages ? Math.Min(tokens, (long)pages * PageBounds.PageTokens) : tokens;
        long groups = read == tokens ? 0 : PageBounds.GroupsOf(position);
        return size.StateBytes + Rows(size).Select((bytes, i) => size.Layers[i] is not { } layer ? 0
            : layer.Window is { } window ? layer.KvHeads * Math.Min(window, tokens) * bytes
            : layer.KvHeads * (read * bytes + groups * PageBounds.BytesOf(layer.KeyDim))).Sum();
    }

    /// <summary>Bytes of a kept position in a KV head of each layer.</summary>
    long[] Rows(KvSize size)
    {
        if (!size.Layers.Any(layer => layer is { Window: null }))
            throw new ArgumentException($"retention {this}: {Printable.Line(size.Spec.Name)} has no layer that attends to everything");
        return [.. size.Layers.Select(layer =>
            layer is null ? 0L : RowBytes(Policy!.KeyType, size.Types.Keys, layer.KeyDim)
                + RowBytes(Policy.ValueType, size.Types.Values, layer.ValueDim))];

        static long RowBytes(string? codec, ElementType pool, int elements) =>
            codec is not null && KvCodecs.TryParse(codec, out IKvCodec? own) ? own.RowBytes(elements) : pool.RowBytes(elements);
    }

    /// <inheritdoc/>
    public override string ToString() => Policy is null ? "everything"
        : FastGenShare is { } share ? string.Create(CultureInfo.InvariantCulture, $"{Policy}, {100 * share:0.####} % kept")
        : Policy.ToString();

    static RetentionShape Shape(KvSize size, long tokens, long[] rows) => new(
        [.. size.Layers.Select((layer, i) => layer is null || layer.Producer != i ? new RetainedLayer(0, 0, false, 0)
            : new RetainedLayer(layer.KvHeads, KvSize.BlockTokens * rows[i], layer.Window is null, layer.Window ?? 0))],
        (int)tokens, KvSize.BlockTokens, size.WholeBlockBytes, size.WholeBytes(tokens));

    static double Share(string text, string share) =>
        share.EndsWith('%')
        && double.TryParse(share[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent)
        && percent is > 0 and <= 100
        ? percent / 100
        : throw new ArgumentException($"retention {Printable.Quote(text)}: kept={Printable.Line(share)}, expected above 0% and at most 100%");
}

/// <summary>What a sequence takes.</summary>
/// <param name="Bytes">Of the formula where everything is kept; else of whole slots of the pool.</param>
/// <param name="ReadBytes">That a decoding step reads: a layer that reads another's cache reads it again.</param>
/// <param name="Rows">Keys that are kept, of all heads and layers.</param>
public sealed record KvUse(long Bytes, long ReadBytes, long Rows)
{
    internal static KvUse OfEverything(KvSize size, long tokens) => new(size.Bytes(tokens), size.ReadBytes(tokens), size.Rows(tokens));
}
