using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Kvasir.Serving;

/// <summary>The command line.</summary>
static class Flags
{
    static readonly Option<string[]> s_servers = new("--server")
    {
        Description = "NAME=COMMAND to start ({port} and {dir} become a free port and a new empty folder), or NAME=http://HOST:PORT; "
            + "repeat it to compare",
        HelpName = "SPEC",
        Required = true,
    };

    static readonly Option<string> s_scenario = new Option<string>("--scenario")
    {
        Description = "What the clients do", DefaultValueFactory = _ => "chats",
    }
        .AcceptOnlyFromAmong("chats", "single", "idle", "soak");

    static readonly Option<int> s_clients = Count("--clients", "Chats; at once, except in `single`", 32);
    static readonly Option<int> s_systemTokens = Count("--system-tokens", "Tokens of the system prompt that all chats share", 1500);
    static readonly Option<int> s_userTokens = Count("--user-tokens", "Tokens of each question, about", 30);
    static readonly Option<int> s_maxTokens = Count("--max-tokens", "Tokens of each answer", 64);
    static readonly Option<int> s_turns = Count("--turns", "Questions in each chat", 2);
    static readonly Option<double> s_ramp = Seconds("--ramp", "Seconds over which the clients' first questions are spread", 0);
    static readonly Option<int> s_rounds = Count("--rounds",
        "Rounds, each with a fresh process, who is first changing (default: 3; 1 for `soak`)", null);
    static readonly Option<int> s_seed = Count("--seed", "Equal seeds give equal texts", 1);
    static readonly Option<string?> s_model = new("--model")
    {
        Description = "The model to ask for (default: the first that the server lists)", HelpName = "NAME",
    };
    static readonly Option<double> s_timeout = Seconds("--timeout", "Seconds that one server may take for one round", 300);
    static readonly Option<double> s_minutes = Seconds("--minutes", "How long `soak` lasts", 10);
    static readonly Option<int> s_connections = Count("--connections", "Connections that `idle` opens", 1000);
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object with every round instead of the table" };

    public static RootCommand CreateCommand()
    {
        RootCommand root = new("Measures OpenAI-compatible servers under load, side by side.")
        {
            s_servers, s_scenario, s_clients, s_systemTokens, s_userTokens, s_maxTokens, s_turns, s_ramp, s_rounds, s_seed, s_model,
            s_timeout, s_minutes, s_connections, s_json,
        };
        root.SetAction(RunAsync);
        root.Subcommands.Add(SlowDisk.Create());
        root.Subcommands.Add(LongOne.Create());
        return root;
    }

    static async Task<int> RunAsync(ParseResult parsed, CancellationToken interrupt)
    {
        LoadOptions options = Options(parsed);
        Header header = Header.Of(options);
        Rounds rounds = new(options, interrupt);
        List<RoundResult> results = await rounds.RunAsync();
        await Console.Out.WriteAsync(
            parsed.GetValue(s_json) ? Report.Json(header, options, results) : Report.Table(header, options, results));
        if (rounds.StoppedBy is { } reason)
            await Console.Error.WriteLineAsync(
                $"serving: stopped early, not all rounds are in the table: {reason.ReplaceLineEndings(" ")}");
        return rounds.StoppedBy is not null || results.Any(result => result.Failed) ? 1 : 0;
    }

    static LoadOptions Options(ParseResult parsed)
    {
        Scenario scenario = Enum.Parse<Scenario>(parsed.GetRequiredValue(s_scenario), ignoreCase: true);
        int rounds = parsed.GetValue(s_rounds);
        return new LoadOptions
        {
            Servers = ServerSpec.ParseAll(parsed.GetRequiredValue(s_servers)),
            Scenario = scenario,
            Clients = parsed.GetValue(s_clients),
            SystemTokens = parsed.GetValue(s_systemTokens),
            UserTokens = parsed.GetValue(s_userTokens),
            MaxTokens = parsed.GetValue(s_maxTokens),
            Turns = parsed.GetValue(s_turns),
            Ramp = TimeSpan.FromSeconds(parsed.GetValue(s_ramp)),
            Rounds = rounds > 0 ? rounds : scenario == Scenario.Soak ? 1 : 3,
            Seed = parsed.GetValue(s_seed),
            Model = parsed.GetValue(s_model),
            Timeout = TimeSpan.FromSeconds(parsed.GetValue(s_timeout)),
            SoakTime = scenario == Scenario.Soak ? TimeSpan.FromMinutes(parsed.GetValue(s_minutes)) : TimeSpan.Zero,
            Connections = parsed.GetValue(s_connections),
        };
    }

    /// <param name="usual">Null for 0, which stands for what depends on others.</param>
    static Option<int> Count(string name, string description, int? usual) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = usual is null ? null : _ => usual.Value,
        CustomParser = result =>
            int.TryParse(result.Tokens[^1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
                && value is > 0 and <= 1_000_000
            ? value
            : Wrong<int>(result, name, "a whole number from 1 to 1000000"),
    };

    static Option<double> Seconds(string name, string description, double usual) => new(name)
    {
        Description = description,
        HelpName = "T",
        DefaultValueFactory = _ => usual,
        CustomParser = result =>
            double.TryParse(result.Tokens[^1].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
                && value <= 100_000
            ? value
            : Wrong<double>(result, name, "a number from 0 to 100000"),
    };

    static T Wrong<T>(ArgumentResult result, string name, string expected) where T : struct
    {
        result.AddError($"{name} {result.Tokens[^1].Value}: expected {expected}");
        return default;
    }
}
