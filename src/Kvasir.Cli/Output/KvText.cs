using System.Globalization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Views;

namespace Kvasir.Cli.Output;

/// <summary>What the cache did, in words.</summary>
static class KvText
{
    /// <summary>Says where a prompt's keys and values came from, and what of them was kept.</summary>
    public static void Say(GenerationResult result, Tokenizer tokenizer)
    {
        Terminal.Line(Line(result.Kv, result.ComputedTokens, tokenizer));
        if (result.Kv.Streamed is { } streamed)
            Terminal.Line(StreamText.Of(streamed, result.StepSeconds, result.Kv.Foreseen));
        if (result.Kv.Retention is { } retention)
            Terminal.Line(Retained(retention));
    }

    /// <summary>
    /// One line on where a prompt's keys and values came from: <c>prompt 2,113: 2,096 from disk in 21 ms (saved 1.9 s), 17 computed;
    /// diverged at token 2,096: " green" was " red"</c>.
    /// </summary>
    public static string Line(CacheUse use, int computed, Tokenizer tokenizer)
    {
        List<string> parts = [];
        foreach ((Tier tier, int tokens) in (ReadOnlySpan<(Tier, int)>)[(Tier.Device, use.Device), (Tier.Host, use.Host),
            (Tier.Disk, use.Disk), (Tier.Remote, use.Remote)])
            if (tokens > 0)
                parts.Add($"{tokens:N0} from {tier.Name()}");
        if (use.RestoreTime > TimeSpan.Zero && parts.Count > 0)
            parts[^1] += $" in {GenerationLine.Duration(use.RestoreTime)}";
        if (use.Saved > TimeSpan.Zero && parts.Count > 0)
            parts[^1] += $" (saved {GenerationLine.Duration(use.Saved)})";
        parts.Add($"{computed:N0} computed");
        string misses = string.Join("; ", use.Misses.Take(3).Select(miss => Of(miss, tokenizer)));
        string more = use.Misses.Count > 3 ? $"; and {use.Misses.Count - 3:N0} more" : "";
        return $"prompt {use.Tokens:N0}: {string.Join(", ", parts)}{(misses.Length > 0 ? "; " : "")}{misses}{more}";
    }

    /// <summary>
    /// One line on what was kept of a prompt: <c>replay:25%…: 24.1 % of 2,048 positions in each layer and head (3 to 97 %), 0.7 of 3.0 MiB,
    /// made in 812 ms; they had 71.2 % of the attention (40.0 % in the head that lost most); a step reads 2.3 MiB less, about 110 µs at the
    /// memory's measured speed</c>; which pages were read, of everything; or why everything was.
    /// </summary>
    public static string Retained(RetentionUse retention)
    {
        if (retention.Pages is { Use: var pages })
            return Read(retention.Policy, pages);
        if (retention.View is not { } view)
            return $"{retention.Policy}: everything is kept: {retention.WhyExact}";
        double[] shares = [.. view.Shares().SelectMany(layer => layer)];
        return string.Create(CultureInfo.InvariantCulture, $"{retention.Policy}: {shares.Average():P1} of {view.Positions:N0} positions in each "
            + $"layer and head ({shares.Min():P0} to {shares.Max():P0}), {view.Bytes / 1048576.0:0.0} of {view.ExactBytes / 1048576.0:0.0} MiB, ")
            + (retention.WasFound ? "there already" : $"made in {GenerationLine.Duration(retention.ProfileTime)}")
            + $"; {Mass(view.Mass)}; {Unread(view.UnreadBytes)}";
    }

    static string Mass(ViewMass? mass) => mass is null ? "no rows have looked at them" : string.Create(CultureInfo.InvariantCulture,
        $"they had {mass.Mean:P1} of the attention ({mass.Least:P1} in the head that lost most)");

    /// <summary>What a step is spared: bytes, and as far as the memory is known, about the time that they take.</summary>
    static string Unread(long bytes) => string.Create(CultureInfo.InvariantCulture, $"a step reads {bytes / 1048576.0:0.0} MiB less")
        + (KnownLimits.Saved(bytes) is { } saved && saved > TimeSpan.Zero
            ? $", about {saved.TotalMicroseconds:N0} µs at the memory's measured speed"
            : "");

    /// <summary>
    /// <c>quest:25%…: 40 rows read 26.1 % of the pages of each layer and head, of those chosen 71 % again; 1.5 MiB of bounds</c>; and what
    /// the rest had at most, if that was bounded.
    /// </summary>
    static string Read(string policy, PageUse pages) => pages.Rows == 0 ? $"{policy}: all rows read everything" : string.Create(CultureInfo.InvariantCulture,
        $"{policy}: {pages.Rows:N0} rows read {pages.ReadShare:P1} of the pages of each layer and head, of those chosen {pages.AgainShare:P0} "
            + $"again; {pages.BoundsBytes / 1048576.0:0.0} MiB of bounds")
        + (pages.OnDisk == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
            $"; of {pages.OnDisk:N0} pages on the disk, {pages.Brought:N0} were brought, the others still there, in {pages.PageBytes / 1048576.0:0.0} MiB"))
        + (pages.Bound is { } bound ? string.Create(CultureInfo.InvariantCulture, $"; no row skipped more than {bound:0.0e+0} of its attention")
            : "");

    /// <summary>Why tokens were not reused.</summary>
    public static string Of(Miss miss, Tokenizer tokenizer) => miss.Reason == MissReason.Diverged
        ? $"diverged {MissText.Detail(miss, tokenizer)}"
        : $"{miss.From:N0}–{miss.To:N0} "
            + $"{miss.Reason.Name().Replace('_', ' ')}{(MissText.Detail(miss, tokenizer) is { } detail ? $": {detail}" : "")}";

    /// <summary>When something was, in the time of this place.</summary>
    public static string Date(DateTimeOffset time) => MissText.Date(time);
}
