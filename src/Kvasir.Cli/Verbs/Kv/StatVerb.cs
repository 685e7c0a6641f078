using System.CommandLine;
using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv stat</c>.</summary>
static class StatVerb
{
    static readonly string Misses = $"{CounterName.Missed("")}", Corrupt = $"{CounterName.Corrupt("")}";

    public static Command Create()
    {
        Command verb = new("stat", "Say how much is kept, how often it was found, and how fast it came") { KvVerb.Folder };
        KvVerb.Remote.AddTo(verb);
        verb.Options.Add(KvVerb.AsJson);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        RemoteTierOptions? store = KvVerb.Remote.Store(parsed);
        using DiskInspection? inspection = KvVerb.InspectFolder(parsed);
        using RemoteInspection? remote = store is null ? null : RemoteInspection.Open(store);
        KvStat report = Of(KvVerb.FolderOf(parsed), inspection, remote is null ? null : Of($"{store}", remote));
        return KvVerb.Print(parsed, report, () => Print(report));
    }

    static KvRemoteStat Of(string store, RemoteInspection inspection)
    {
        (long capacity, long used, long evictions) = inspection.Size();
        return new KvRemoteStat(store, capacity, used, evictions, Rows(inspection.Models()));
    }

    static IReadOnlyList<KvModelStat> Rows(IReadOnlyList<InspectedModel> models) => [.. models.Select(
        model => new KvModelStat(model.Name, model.Fingerprint.ToString(), model.Blocks, model.Tokens, model.Bytes, model.Pinned))];

    static KvStat Of(string folder, DiskInspection? inspection, KvRemoteStat? remote)
    {
        IReadOnlyDictionary<string, long> counters = inspection?.Counters() ?? new Dictionary<string, long>();
        InspectedSpace space = inspection?.Space() ?? new InspectedSpace(0, 0, 0, 0, 0);
        IReadOnlyList<InspectedModel> models = inspection?.Models() ?? [];
        double seconds = Count(CounterName.LoadedTime(Tier.Disk)) / 1e6;
        long loaded = Count(CounterName.LoadedBytes(Tier.Disk));
        return new KvStat(
            folder, models.Sum(model => model.Tokens), models.Sum(model => model.Pinned), Rows(models),
            new KvDiskStat(space.Segments, space.Bytes, space.Slots - space.FreeSlots, space.FreeSlots, space.EvictionsRemembered,
                Count(CounterName.Written), Count(CounterName.Dropped),
                loaded, seconds, seconds > 0 ? loaded / seconds : 0, Of(Corrupt)),
            new KvHitStat(Count(CounterName.LookedUp), Count(CounterName.Hit(Tier.Device)), Count(CounterName.Hit(Tier.Host)),
                Count(CounterName.Hit(Tier.Disk)), Count(CounterName.Hit(Tier.Remote)), Of(Misses)), remote);

        long Count(CounterName name) => counters.GetValueOrDefault($"{name}");
        Dictionary<string, long> Of(string prefix) =>
            // earlier versions wrote names otherwise
            counters.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal))
                .GroupBy(pair => JsonNamingPolicy.SnakeCaseLower.ConvertName(pair.Key[prefix.Length..]))
                .ToDictionary(group => group.Key, group => group.Sum(pair => pair.Value));
    }

    static void Print(KvStat stat)
    {
        Terminal.Answers.WriteLine($"{Printable.Line(stat.Directory, 4096)}: {ByteSize.Text(stat.Disk.Bytes)} in {stat.Disk.Segments:N0} "
            + $"files, {stat.Disk.Blocks:N0} blocks ({stat.PinnedBlocks:N0} of them pinned) of {stat.Tokens:N0} tokens, room for "
            + $"{stat.Disk.FreeSlots:N0} more blocks");
        Print(stat.Models);
        Print(stat.Hits, stat.Disk);
        if (stat.Remote is { } remote)
            Print(remote);
    }

    static void Print(KvRemoteStat stat)
    {
        string of = stat.CapacityBytes > 0 ? $" of {ByteSize.Text(stat.CapacityBytes)}" : "";
        string used = stat.UsedBytes == 0 ? ""
            : $"; {ByteSize.Text(stat.UsedBytes)}{of} used by everybody, {stat.Evictions:N0} values had to give way";
        Terminal.Answers.WriteLine($"{stat.Store}: {stat.Models.Sum(model => model.Blocks):N0} blocks "
            + $"({stat.Models.Sum(model => model.PinnedBlocks):N0} of them pinned) of {stat.Models.Sum(model => model.Tokens):N0} tokens{used}");
        Print(stat.Models);
    }

    static void Print(IReadOnlyList<KvModelStat> models)
    {
        if (models.Count > 0)
        {
            Table table = new Table().SimpleBorder().AddColumn("model").AddColumn("fingerprint");
            foreach (string column in (string[])["blocks", "pinned", "tokens", "size"])
                table.AddColumn(new TableColumn(column).RightAligned());
            foreach (KvModelStat model in models)
                table.AddRow(Markup.Escape(Printable.Line(model.Model)), model.Fingerprint[..12], $"{model.Blocks:N0}",
                    $"{model.PinnedBlocks:N0}", $"{model.Tokens:N0}", ByteSize.Text(model.Bytes));
            Terminal.Answers.Write(table);
        }
    }

    static void Print(KvHitStat hits, KvDiskStat disk)
    {
        Terminal.Answers.WriteLine($"prompts so far: {hits.LookupTokens:N0} tokens; found in device "
            + $"{Share(hits.Device, hits.LookupTokens)}, host {Share(hits.Host, hits.LookupTokens)}, disk "
            + $"{Share(hits.Disk, hits.LookupTokens)}, remote {Share(hits.Remote, hits.LookupTokens)}");
        foreach ((string reason, long tokens) in hits.Misses.OrderByDescending(pair => pair.Value))
            Terminal.Answers.WriteLine($"  not found, {reason.Replace('_', ' ')}: {Share(tokens, hits.LookupTokens)}");
        string speed = disk.LoadSeconds > 0
            ? $"{ByteSize.Text(disk.LoadBytes)} at {disk.LoadBytesPerS / 1e9:0.00} GB/s"
            : "nothing yet";
        Terminal.Answers.WriteLine($"disk: read {speed}; written {disk.WrittenBlocks:N0} blocks, dropped "
            + $"{disk.DroppedBlocks:N0}; damaged {disk.Corrupt.Values.Sum():N0}");
    }

    static string Share(long part, long whole) => whole > 0 ? $"{part:N0} ({100.0 * part / whole:0.0} %)" : $"{part:N0}";
}

/// <summary>What <c>kv stat --json</c> prints.</summary>
sealed record KvStat(string Directory, long Tokens, long PinnedBlocks, IReadOnlyList<KvModelStat> Models, KvDiskStat Disk, KvHitStat Hits,
    KvRemoteStat? Remote);

/// <summary>A store: what it says of itself, capacity 0 where it does not, and what this installation has there.</summary>
sealed record KvRemoteStat(string Store, long CapacityBytes, long UsedBytes, long Evictions, IReadOnlyList<KvModelStat> Models);

/// <summary>One model's blocks.</summary>
sealed record KvModelStat(string Model, string Fingerprint, long Blocks, long Tokens, long Bytes, long PinnedBlocks);

/// <summary>The disk tier, since the directory was made.</summary>
sealed record KvDiskStat(
    int Segments, long Bytes, long Blocks, long FreeSlots, long EvictionsRemembered, long WrittenBlocks, long DroppedBlocks,
    long LoadBytes, double LoadSeconds, double LoadBytesPerS, IReadOnlyDictionary<string, long> Corrupt);

/// <summary>Prompt tokens that were looked up, found by tier, and not found by reason.</summary>
sealed record KvHitStat(long LookupTokens, long Device, long Host, long Disk, long Remote, IReadOnlyDictionary<string, long> Misses);
