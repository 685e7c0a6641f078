namespace Kvasir.Serving;

/// <summary>What a scenario found.</summary>
/// <param name="Problems">Kinds of failure and how often each occurred.</param>
sealed record Outcome(IReadOnlyList<Figure> Figures, IReadOnlyDictionary<string, int> Problems);

/// <summary>Runs the scenario that the options name.</summary>
static class Scenarios
{
    public static Task<Outcome> RunAsync(RunningServer server, LoadOptions options, Prompts prompts, CancellationToken limit) =>
        options.Scenario switch
        {
            Scenario.Idle => IdleConnections.RunAsync(server, options.Connections, limit),
            Scenario.Soak => new Soak(server, options, prompts).RunAsync(limit),
            _ => ChatsAsync(server, options, prompts, limit),
        };

    static async Task<Outcome> ChatsAsync(RunningServer server, LoadOptions options, Prompts prompts, CancellationToken limit)
    {
        Chats chats = new(server, options, prompts);
        (List<Answer> answers, double seconds) = options.Scenario == Scenario.Single
            ? await chats.OneByOneAsync(limit)
            : await chats.TogetherAsync(limit);
        return new Outcome([.. ChatFigures.Of(answers, seconds, options.MaxTokens)], ChatFigures.Problems(answers));
    }
}
