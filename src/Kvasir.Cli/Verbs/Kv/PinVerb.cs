using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.KvCache.Tiers;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv pin</c> and <c>unpin</c>: keeps a prompt's blocks from giving way until a time.</summary>
static class PinVerb
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(10);
    static readonly Option<string> s_owner = new("--owner")
    {
        Description = "Who keeps them; 'unpin' lets go of all that an owner keeps", DefaultValueFactory = _ => "user", HelpName = "NAME",
    };
    static readonly Option<TimeSpan> s_time = new("--ttl")
    {
        Description = "For how long, such as 90m, 12h or 30d", DefaultValueFactory = _ => TimeSpan.FromDays(30),
        CustomParser = ParseTime, HelpName = "TIME",
    };

    public static Command Create() =>
        KvPrompt.CreateVerb("pin", "Keep the keys and values of a file or prompt on the disk and in the store until a time, computing them if need be", Pin,
            s_owner, s_time);

    public static Command CreateUnpin()
    {
        Command verb = KvVerb.WithPlace(new Command("unpin", "Let go of all that an owner keeps") { s_owner });
        verb.SetAction(parsed =>
        {
            using ITierInspection? inspection = KvVerb.Inspect(parsed);
            int blocks = inspection?.Unpin(Owner(parsed)) ?? 0;
            return KvVerb.Print(parsed, new KvUnpin(Owner(parsed), blocks), () => Terminal.Answers.WriteLine($"{blocks:N0} blocks let go"));
        });
        return verb;
    }

    static int Pin(ParseResult parsed, InferenceEngine engine, int[] tokens)
    {
        string owner = Owner(parsed);
        if (WarmVerb.Warm(engine, tokens).Interrupted)
            return Terminal.Error("interrupted: nothing is pinned", ExitCode.Failed);
        DateTimeOffset until = DateTimeOffset.UtcNow + parsed.GetValue(s_time);
        int blocks = engine.Cache.Pin(engine.Cache.Keys(tokens), owner, until, s_patience);
        return blocks == 0
            ? Terminal.Error(WarmVerb.NothingKept(engine), ExitCode.Failed)
            : KvVerb.Print(parsed, new KvPin(owner, blocks, until),
                () => Terminal.Answers.WriteLine($"{blocks:N0} blocks kept for {Printable.Line(owner)} until {KvText.Date(until)}"));
    }

    static string Owner(ParseResult parsed) =>
        parsed.GetRequiredValue(s_owner) is { Length: > 0 and <= 64 } owner
            ? owner
            : throw new UsageException("--owner: expected a name of 1 to 64 characters");

    static TimeSpan ParseTime(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (text.Length > 1 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && count is > 0 and <= 100_000)
            switch (text[^1])
            {
                case 'm': return TimeSpan.FromMinutes(count);
                case 'h': return TimeSpan.FromHours(count);
                case 'd': return TimeSpan.FromDays(count);
            }
        result.AddError($"{Printable.Quote(text)} is no time: expected a number with m, h or d behind it, such as 30d");
        return default;
    }
}

/// <summary>What <c>kv pin --json</c> prints.</summary>
sealed record KvPin(string Owner, int Blocks, DateTimeOffset Until);

/// <summary>What <c>kv unpin --json</c> prints.</summary>
sealed record KvUnpin(string Owner, int Blocks);
