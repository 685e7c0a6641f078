using System.CommandLine;
using Kvasir.KvCache.Tiers.Disk;
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
        Command verb = new("gc", "Give back what is of no use: pins that have ended, files that nothing points at; or shrink to a size")
        {
            s_size, KvVerb.Folder, KvVerb.AsJson,
        };
        verb.SetAction(parsed =>
        {
            using DiskInspection? inspection = KvVerb.Inspect(parsed);
            long bytes = inspection?.Collect(parsed.GetValue(s_size)) ?? 0;
            return KvVerb.Print(parsed, new KvCollect(bytes), () => Terminal.Answers.WriteLine($"{ByteSize.Text(bytes)} given back"));
        });
        return verb;
    }
}

/// <summary>What <c>kv gc --json</c> prints.</summary>
sealed record KvCollect(long BytesGivenBack);
