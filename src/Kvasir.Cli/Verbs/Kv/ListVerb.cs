using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv ls</c>: the prefixes that are kept, or all blocks.</summary>
static class ListVerb
{
    static readonly Option<bool> s_blocks = new("--blocks") { Description = "List every block, not every prefix" };

    public static Command Create()
    {
        Command verb = KvVerb.WithPlace(new Command("ls", "List the prefixes that are kept, those used last first") { s_blocks });
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using ITierInspection? inspection = KvVerb.Inspect(parsed);
        IReadOnlyList<InspectedBlock> blocks = inspection?.Blocks() ?? [];
        KvPrefix[] rows = parsed.GetValue(s_blocks)
            ? [.. blocks.Select(block => Row(block, block.Tokens.Length, 1, block.Bytes))]
            : [.. BlockRuns.Of(blocks).SelectMany(top => Prefixes(top)).OrderByDescending(row => row.LastUse)];
        return KvVerb.Print(parsed, new KvList(rows), () => Print(rows));
    }

    /// <summary>From every leaf to the beginning.</summary>
    static IEnumerable<KvPrefix> Prefixes(BlockRun<InspectedBlock> top) => top.All().Where(run => run.Following.Count == 0)
        .Select(run => Row(run.Last, run.Before + run.Tokens, run.BlocksBefore + run.Blocks.Count, run.Blocks.Sum(block => block.Bytes)));

    static KvPrefix Row(InspectedBlock last, int tokens, int blocks, long bytes) =>
        new(last.Key.ToString(), last.Model, tokens, blocks, bytes, last.Used, last.PinnedBy, last.PinnedUntil);

    static void Print(KvPrefix[] rows)
    {
        Table table = new Table().SimpleBorder().AddColumn("key").AddColumn("model");
        foreach (string column in (string[])["tokens", "blocks", "of its own"])
            table.AddColumn(new TableColumn(column).RightAligned());
        table.AddColumn("last use").AddColumn("pinned");
        foreach (KvPrefix row in rows)
            table.AddRow(row.Key[..12], Markup.Escape(Printable.Line(row.Model, 40)), $"{row.Tokens:N0}", $"{row.Blocks:N0}",
                ByteSize.Text(row.Bytes), KvText.Date(row.LastUse),
                row.PinnedBy is null
                    ? ""
                    : Markup.Escape($"{Printable.Line(row.PinnedBy, 20)} until {KvText.Date(row.PinnedUntil!.Value)}"));
        Terminal.Answers.Write(table);
    }
}

/// <summary>What <c>kv ls --json</c> prints.</summary>
sealed record KvList(IReadOnlyList<KvPrefix> Prefixes);

/// <summary>A prefix, named by the key of its last block; bytes are those that it shares with no other.</summary>
sealed record KvPrefix(string Key, string Model, int Tokens, int Blocks, long Bytes, DateTimeOffset LastUse,
    string? PinnedBy, DateTimeOffset? PinnedUntil);
