using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv warm</c>: computes a file now, for questions that come later.</summary>
static class WarmVerb
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    static readonly Option<string?> s_to = new Option<string?>("--to")
    {
        Description = "Where they have to be in the end: disk, or remote for the store that --kv-remote names; else in any of the two",
        HelpName = "TIER",
    }.AcceptOnlyFromAmong(Tier.Disk.Name(), Tier.Remote.Name());

    public static Command Create() =>
        KvPrompt.CreateVerb("warm", "Compute a file or a prompt now and keep its keys and values for later", Run, s_to);

    static int Run(ParseResult parsed, InferenceEngine engine, int[] tokens)
    {
        string? to = parsed.GetValue(s_to);
        if (to is not null && !engine.Cache.Tiers.Any(tier => tier.Tier.Name() == to))
            throw new UsageException($"--to {to}: there is no such tier{(to == Tier.Remote.Name() ? "; --kv-remote URL names a store" : "")}");
        KvWarm report = Warm(engine, tokens);
        KvVerb.Print(parsed, report, () => Terminal.Answers.WriteLine($"{report.Tokens:N0} tokens: {report.Reused:N0} were there, "
            + $"{report.Computed:N0} computed; {Places(report)}"));
        if (report.Interrupted)
            return Terminal.Error("interrupted", ExitCode.Failed);
        int kept = to == Tier.Disk.Name() ? report.OnDisk : to is null ? Math.Max(report.OnDisk, report.InStore ?? 0) : report.InStore ?? 0;
        if (to is not null && kept < report.Tokens)
            return Terminal.Error($"--to {to}: {kept:N0} of {report.Tokens:N0} tokens are there{Why(engine)}", ExitCode.Failed);
        return kept > 0 ? ExitCode.Ok : Terminal.Error(NothingKept(engine), ExitCode.Failed);
    }

    /// <summary>What to say when a prompt is kept nowhere.</summary>
    public static string NothingKept(InferenceEngine engine) => $"nothing could be kept on the disk or in a store{Why(engine)}";

    static string Why(InferenceEngine engine) => engine.Cache.Problem is { } problem ? $" ({Printable.Line(problem, 4096)})" : "";

    static string Places(KvWarm report) =>
        $"{report.OnDisk:N0} are on the disk{(report.InStore is { } tokens ? $", {tokens:N0} in the store" : "")}";

    /// <summary>Computes what is missing of a prompt and waits until it is where it is kept.</summary>
    public static KvWarm Warm(InferenceEngine engine, int[] tokens)
    {
        using Interrupt interrupt = new();
        PrefillMeter meter = new();
        GenerationResult result;
        using (Sequence sequence = engine.NewSequence())
        {
            sequence.Append(tokens);
            result = engine.Generate(sequence, new GenerationOptions { MaxTokens = 1, Progress = meter }, _ => { }, interrupt.Token);
        }
        meter.Clear();
        engine.Cache.Flush(s_patience);
        return new KvWarm(tokens.Length, result.ReusedTokens, result.ComputedTokens, Kept(Tier.Disk) ?? 0, Kept(Tier.Remote),
            result.FinishReason == FinishReason.Cancelled);

        int? Kept(Tier where) => engine.Cache.DurableTiers.FirstOrDefault(tier => tier.Tier == where) is { } tier
            ? engine.Cache.CountKept(tier, tokens).GetAwaiter().GetResult()
            : null;
    }
}

/// <summary>What <c>kv warm --json</c> prints.</summary>
sealed record KvWarm(int Tokens, int Reused, int Computed, int OnDisk, int? InStore, bool Interrupted);
