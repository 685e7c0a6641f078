using System.CommandLine;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.RemoteTiers;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv gc</c>: gives back what is of no use.</summary>
static class CollectVerb
{
    static readonly Option<long?> s_size = new("--kv-disk")
    {
        Description = "Shrink to this size, what was unused for longest first; files with pinned blocks stay",
        CustomParser = ByteSize.Parse, HelpName = "SIZE",
    };

    public static Command Create()
    {
        Command verb = new("gc", "Give back what is of no use: pins that have ended, files or entries that lead nowhere; or shrink to a size")
        {
            s_size,
        };
        KvVerb.WithPlace(verb).SetAction(parsed => KvVerb.TierOf(parsed) == Tier.Remote ? CollectStore(parsed) : CollectFolder(parsed));
        return verb;
    }

    static int CollectFolder(ParseResult parsed)
    {
        using DiskInspection? inspection = KvVerb.InspectFolder(parsed);
        long bytes = inspection?.Collect(parsed.GetValue(s_size)) ?? 0;
        return KvVerb.Print(parsed, new KvCollect(bytes), () => Terminal.Answers.WriteLine($"{ByteSize.Text(bytes)} given back"));
    }

    static int CollectStore(ParseResult parsed)
    {
        if (parsed.GetValue(s_size) is not null)
            throw new UsageException("--kv-disk is the size of the disk tier; what a store may hold, its own settings say");
        using RemoteInspection inspection = RemoteInspection.Open(KvVerb.Remote.RequiredStore(parsed, "--tier remote"));
        (int blocks, int values) = inspection.Collect();
        return KvVerb.Print(parsed, new KvRemoteCollect(blocks, values), () => Terminal.Answers.WriteLine(
            $"{blocks:N0} blocks forgotten{(values > 0 ? $", and {values:N0} values to which nothing led" : "")}"));
    }
}

/// <summary>What <c>kv gc --json</c> prints.</summary>
sealed record KvCollect(long BytesGivenBack);

/// <summary>The same of a store.</summary>
sealed record KvRemoteCollect(int Blocks, int Values);
