using System.CommandLine;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv verify</c>: reads and checks every block.</summary>
static class VerifyVerb
{
    public static Command Create()
    {
        Command verb = KvVerb.WithPlace(new Command("verify", "Read and check every block; damaged ones are forgotten"));
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using ITierInspection? inspection = KvVerb.Inspect(parsed);
        using Interrupt interrupt = new();
        var meter = new Meter();
        try
        {
            IReadOnlyDictionary<ReadOutcome, int> outcomes = inspection?.Verify(meter, interrupt.Token)
                ?? new Dictionary<ReadOutcome, int>();
            int good = outcomes.GetValueOrDefault(ReadOutcome.Ok), bad = outcomes.Values.Sum() - good;
            int unread = outcomes.GetValueOrDefault(ReadOutcome.IoError);
            Dictionary<string, int> damage = outcomes.Where(pair => pair.Key != ReadOutcome.Ok)
                .ToDictionary(pair => pair.Key.Name(), pair => pair.Value);
            KvVerb.Print(parsed, new KvVerify(good, bad, damage), () =>
            {
                Terminal.Answers.WriteLine($"{good:N0} blocks are good, {bad - unread:N0} were not and are forgotten"
                    + (unread > 0 ? $", {unread:N0} could not be read and stay" : ""));
                foreach ((string outcome, int blocks) in damage)
                    Terminal.Answers.WriteLine($"  {outcome.Replace('_', ' ')}: {blocks:N0}");
            });
            return bad == 0 ? ExitCode.Ok : ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    sealed class Meter : IProgress<(int Done, int Total)>
    {
        readonly StatusLine _line = new();

        public void Report((int Done, int Total) value)
        {
            _line.Show(() => $"checked {value.Done:N0} of {value.Total:N0} blocks");
            if (value.Done == value.Total)
                _line.Clear();
        }
    }
}

/// <summary>What <c>kv verify --json</c> prints.</summary>
sealed record KvVerify(int Good, int Bad, IReadOnlyDictionary<string, int> Damage);
