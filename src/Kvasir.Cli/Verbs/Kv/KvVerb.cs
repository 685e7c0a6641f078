using System.CommandLine;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.RemoteTiers;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv</c>: what is kept on the disk or in a store, and what would be found of a prompt.</summary>
static class KvVerb
{
    /// <summary>The directory.</summary>
    public static Option<string?> Folder { get; } = KvFlags.CreateFolder();

    /// <summary>The store.</summary>
    public static RemoteFlags Remote { get; } = new();

    /// <summary>Which of the tiers that outlive processes.</summary>
    public static Option<string> TierName { get; } = new Option<string>("--tier")
    {
        Description = "Which tier: disk, or remote for the store that --kv-remote names", DefaultValueFactory = _ => Tier.Disk.Name(),
        HelpName = "TIER",
    }.AcceptOnlyFromAmong(Tier.Disk.Name(), Tier.Remote.Name());

    /// <summary>One object instead of text.</summary>
    public static Option<bool> AsJson { get; } = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("kv")
        {
            StatVerb.Create(), ListVerb.Create(), TreeVerb.Create(), LookupVerb.Create(), WarmVerb.Create(), PinVerb.Create(),
            PinVerb.CreateUnpin(), VerifyVerb.Create(), CollectVerb.Create(), ClearVerb.Create(),
        };
        return verb;
    }

    /// <summary>The directory that is meant.</summary>
    public static string FolderOf(ParseResult parsed) =>
        KvFlags.Folder(parsed.GetValue(Folder))
            ?? throw new UsageException("there is no home to keep anything in; --kv-dir names a directory");

    /// <summary>Adds the flags that say where to look.</summary>
    public static Command WithPlace(Command verb)
    {
        verb.Options.Add(TierName);
        verb.Options.Add(Folder);
        Remote.AddTo(verb);
        verb.Options.Add(AsJson);
        return verb;
    }

    /// <summary>The tier that is named.</summary>
    public static Tier TierOf(ParseResult parsed) => parsed.GetValue(TierName) == Tier.Remote.Name() ? Tier.Remote : Tier.Disk;

    /// <summary>Looks into the tier that is named; null when nothing was ever kept there.</summary>
    public static ITierInspection? Inspect(ParseResult parsed) => TierOf(parsed) == Tier.Remote
        ? RemoteInspection.Open(Remote.RequiredStore(parsed, "--tier remote"))
        : InspectFolder(parsed);

    /// <summary>Looks into the directory; says so, and gives null, when nothing was ever kept there.</summary>
    public static DiskInspection? InspectFolder(ParseResult parsed)
    {
        PrivateFolder.Check(FolderOf(parsed));
        DiskInspection? inspection = DiskInspection.Open(FolderOf(parsed));
        if (inspection is null)
            Terminal.Line($"nothing is cached yet in {FolderOf(parsed)}");
        return inspection;
    }

    /// <summary>Prints a report as JSON, or as text.</summary>
    public static int Print<T>(ParseResult parsed, T report, Action text)
    {
        if (parsed.GetValue(AsJson))
            KvJson.Write(report);
        else
            text();
        return ExitCode.Ok;
    }
}
