using Kvasir.Cli.Verbs.Simulate.Reports;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>The tables and words behind the numbers.</summary>
static class Explanations
{
    const int MostNodes = 64;

    public static string Tiers(SimulateReport report) => HtmlText.Section("What each tier did",
        $"Over {(report.Fleet.Nodes == 1 ? "the machine" : $"all {report.Fleet.Nodes:N0} machines")} and the whole trace.",
        HtmlText.Table(["tier", "room each", "policy", "!tokens found", "!of prompts", "!written", "!read", "!written / read", "!evicted",
            "!blocks at the end", "!of them unreachable"],
            report.Outcome.Tiers.Zip(report.Fleet.Tiers, (tier, room) => (string[])[tier.Tier, room.Room, room.Policy,
                $"{tier.HitTokens:N0}", $"{tier.TokenShare:P1}", ByteSize.Text(tier.BytesWritten),
                ByteSize.Text(tier.BytesRead), tier.WrittenPerHit is { } written ? $"{written:0.00}" : "–", $"{tier.Evictions:N0}",
                $"{tier.Resident:N0}", $"{tier.Unreachable:N0}"])));

    /// <summary>What went to and from the store; nothing when there is none.</summary>
    public static string Store(SimulateReport report) => report.Outcome.Store is not { } store ? "" : HtmlText.Section("The store",
        "What all machines together read and wrote, and how often they asked.",
        HtmlText.Table(["!read", "!written", "!most there", "!requests", "!a second", "!in the busiest", "!too late", "!blocks dropped",
            .. report.Fleet.Store!.HasPrice ? ["!price"] : (string[])[]],
            [[ByteSize.Text(store.BytesRead), ByteSize.Text(store.BytesWritten), ByteSize.Text(store.PeakBytes), $"{store.Requests:N0}",
                $"{store.RequestsPerS:N1}", $"{store.MostRequestsPerS:N0}", $"{store.TooLate:N0}", $"{store.DroppedBlocks:N0}",
                $"{store.Price:N2}"]]));

    /// <summary>What each machine found; nothing of one, or of very many.</summary>
    public static string Nodes(SimulateReport report) => report.Outcome.Nodes.Count is < 2 or > MostNodes ? "" : HtmlText.Section(
        "What each machine found", "Shares of the tokens of the prompts that it served, by the tier that they came from.",
        HtmlText.Table(["machine", "!requests", "!prompt tokens", "!found", .. report.Outcome.Tiers.Select(tier => $"!{tier.Tier}"),
            "!prefill", "!waited for tiers"],
            report.Outcome.Nodes.Select((node, number) => (string[])[$"{number}", $"{node.Requests:N0}", $"{node.PromptTokens:N0}",
                $"{node.TokenHitRate:P1}", .. node.TokenShares.Values.Select(share => $"{share:P1}"), Duration.Text(node.PrefillS),
                Duration.Text(node.RestoreS)])));

    public static string Assumed(SimulateReport report) => HtmlText.Section("What was assumed",
        "Other assumptions give other numbers; these are the ones to question first.", HtmlText.Definitions(Assumptions(report)));

    static IEnumerable<(string, string)> Assumptions(SimulateReport report)
    {
        (TraceSummary trace, FleetSummary fleet) = (report.Trace, report.Fleet);
        yield return ("Requests", $"{trace.Name}: {trace.Requests:N0} requests with {trace.PromptTokens:N0} prompt tokens in "
            + $"{Duration.Text(trace.Seconds)}, in blocks of {trace.BlockTokens:N0} tokens");
        yield return ("Fleet",
            fleet.Nodes == 1 ? "1 machine" : $"{fleet.Nodes:N0} machines; requests are placed {Placement(fleet.Placement)}");
        foreach (TierSummary tier in fleet.Tiers)
            yield return ($"Tier {tier.Tier}", $"{tier.Room}, evicts by {tier.Policy}" + (tier.BytesPerS
                is { } speed ? $", {ByteSize.Text((long)speed)} a second after {Duration.Text(tier.LatencyS)}" : ", read in place"));
        if (fleet.Store is { } store)
            yield return ("Store", (store.BytesPerS is { } all
                ? $"{ByteSize.Text((long)all)} a second for all machines together"
                : "as fast as the machines' connections together") + $", values of {TierText.Room(store.ValueBytes)}{Prices(store)}");
        if (report.Model is { } model)
            yield return ("Model", model);
        if (report.Retention is { } retention)
            yield return ("Retention", $"{retention}. {report.Outcome.Views}");
        yield return ("Keys and values",
            $"{TierText.Room(fleet.BytesPerToken)} a token, {TierText.Room(fleet.BytesPerToken * trace.BlockTokens)} a block");
        yield return ("Prefill", $"{fleet.PrefillTokensPerS:N0} tokens a second on a machine, one prompt after another; writing the "
            + $"answers costs prompts no time");
        yield return ("Blocks", fleet.Instant
            ? "can be used from the moment that a request arrives (--instant), and nobody waits for a machine"
            : "can be used when they are computed");
        yield return ("Price", fleet.PricePerHour > 0
            ? $"{fleet.PricePerHour:N2} for an hour of a machine; saved time counts in full, as if machines were paid by the second"
            : "none was given");
        foreach (FaultSummary fault in fleet.Faults)
            yield return ($"Fault after {Duration.Text(fault.AtS)}", fault.What);
    }

    static string Prices(StoreSummary store) => store.HasPrice
        ? $"; {store.PricePerGibMonth:0.####} for a GiB and month, {store.PricePerThousandRequests:0.####} for a thousand requests, "
            + $"{store.PricePerGibMoved:0.####} for a GiB that moves"
        : "";

    static string Placement(string name) => name switch
    {
        "round-robin" => "by turns",
        "session" => "so that conversations stay where they began, new ones by turns",
        "chain" => "by their first block: what begins alike goes to the same machine",
        "block" => "by turns, and each block lives on the machine that its key names",
        _ => "where the most of the prompt is, weighed against how long the machine is busy",
    };

    public static string Glossary { get; } = HtmlText.Section("Words", "What the terms above mean.", HtmlText.Definitions(
    [
        ("token", "a piece of a word; models read and write texts as tokens"),
        ("keys and values", "what a model has to compute of each token before it can write the next one, and what the cache keeps"),
        ("prompt", "all that a request gives the model to read: instructions, documents, the conversation so far, the question"),
        ("prefill", "computing the keys and values of a prompt"),
        ("block", "the keys and values of a fixed number of consecutive tokens: the unit that is kept, found and evicted"),
        ("found", "tokens, or blocks, of a prompt whose keys and values some tier still had, so that they were not computed again"),
        ("tier", "a place where blocks are kept, from fast and small to slow and large: device, host, disk, remote"),
        ("store", "the remote tier: a server that all machines fill and read, over the network"),
        ("too late", "how often a machine began to compute because the store had not answered, or not brought blocks, in the time that "
            + "computing takes"),
        ("blocks dropped", "blocks that had left a machine's memory before their turn to be written to the store came"),
        ("evict", "give a block up to make room for another; a policy says which (lru: the one not used for longest; s3-fifo: those used "
            + "only once first; hit-density: the one least likely to be used for the time that it would be kept, by what came back before)"),
        ("unreachable",
            "a block that is there while one before it is gone, so that only a cache that computes single missing blocks can use it"),
        ("written / read", "bytes written to a tier for each byte that was of use later; below 1 is good, and disks wear by it"),
        ("without limit", "the share that a cache would find which keeps everything for ever: no policy and no room can find more"),
        ("knows the future", "the share that the best possible choice of what to evict would find with the same room (Belady, 1966)"),
        ("TTFT", "time to first token: from a request's arrival until its answer begins"),
    ]));
}
