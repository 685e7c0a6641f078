using System.CommandLine;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv warm</c>: computes a file now, for questions that come later.</summary>
static class WarmVerb
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);

    public static Command Create() =>
        KvPrompt.CreateVerb("warm", "Compute a file or a prompt now and keep its keys and values for later", Run);

    static int Run(ParseResult parsed, InferenceEngine engine, int[] tokens)
    {
        KvWarm report = Warm(engine, tokens);
        KvVerb.Print(parsed, report, () => Terminal.Answers.WriteLine($"{report.Tokens:N0} tokens: {report.Reused:N0} were there, "
            + $"{report.Computed:N0} computed; {report.OnDisk:N0} are on the disk"));
        if (report.Interrupted)
            return Terminal.Error("interrupted", ExitCode.Failed);
        return report.OnDisk > 0 ? ExitCode.Ok : Terminal.Error("nothing could be kept on the disk", ExitCode.Failed);
    }

    /// <summary>Computes what is missing of a prompt and waits until it is on the disk.</summary>
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
        return new KvWarm(tokens.Length, result.ReusedTokens, result.ComputedTokens,
            engine.Cache.CountKept(tokens).GetAwaiter().GetResult(), result.FinishReason == FinishReason.Cancelled);
    }
}

/// <summary>What <c>kv warm --json</c> prints.</summary>
sealed record KvWarm(int Tokens, int Reused, int Computed, int OnDisk, bool Interrupted);
