using System.CommandLine;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv</c>: what is kept on the disk, and what would be found of a prompt.</summary>
static class KvVerb
{
    /// <summary>The directory.</summary>
    public static Option<string?> Folder { get; } = KvFlags.CreateFolder();

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

    /// <summary>Looks into the directory; says so, and gives null, when nothing was ever kept there.</summary>
    public static DiskInspection? Inspect(ParseResult parsed)
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
