using System.CommandLine;
using Kvasir.Inference;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv clear</c>: forgets one model's blocks, or all.</summary>
static class ClearVerb
{
    static readonly Option<bool> s_all = new("--all") { Description = "Forget the blocks of all models" };
    static readonly Option<string?> s_fingerprint = new("--fingerprint")
    {
        Description = "Forget those of one model, by the beginning of the fingerprint that `kv stat` shows", HelpName = "HEX",
    };

    public static Command Create()
    {
        Command verb = KvVerb.WithPlace(new Command("clear", "Forget what is kept") { s_all, s_fingerprint });
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        string? prefix = parsed.GetValue(s_fingerprint);
        if (parsed.GetValue(s_all) == (prefix is not null))
            throw new UsageException("--all forgets everything and --fingerprint HEX one model's: choose one");
        using ITierInspection? inspection = KvVerb.Inspect(parsed);
        int blocks = inspection?.Clear(prefix is null ? null : Find(inspection, prefix)) ?? 0;
        return KvVerb.Print(parsed, new KvClear(blocks), () => Terminal.Answers.WriteLine($"{blocks:N0} blocks forgotten"));
    }

    static Fingerprint Find(ITierInspection inspection, string prefix)
    {
        InspectedModel[] found =
            [.. inspection.Models().Where(model => model.Fingerprint.ToString().StartsWith(prefix, StringComparison.OrdinalIgnoreCase))];
        return found is [var one] && prefix.Length >= 4
            ? one.Fingerprint
            : throw new UsageException($"--fingerprint: {found.Length} models begin so, expected one, and at least 4 digits");
    }
}

/// <summary>What <c>kv clear --json</c> prints.</summary>
sealed record KvClear(int Blocks);
