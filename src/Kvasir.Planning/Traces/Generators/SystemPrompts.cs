namespace Kvasir.Planning.Traces.Generators;

/// <summary>Single questions behind system prompts of which some are asked far more often than others.</summary>
static class SystemPrompts
{
    public static Workload Workload { get; } = new("system",
        "single questions behind system prompts, some of them far more popular than others",
    [
        new("prompts", 50, 1, 1e6, "different system prompts"),
        new("zipf", 1, 0, 8, "how much more popular the first are: weights 1/rank^zipf", IsWhole: false),
        new("requests", 5000, 1, RequestList.MostRequests, "requests"),
        new("rate", 2, 0.001, 1e6, "requests a second, with exponential pauses", IsWhole: false),
        new("system", 2000, 0, 1e7, "mean tokens of a system prompt, uniform from half to one and a half"),
        new("question", 100, 1, 1e7, "mean tokens of a question, likewise"),
        new("answer", 200, 0, 1e7, "mean tokens of an answer, likewise"),
        new("seed", 1, 0, int.MaxValue, "start of the random numbers"),
    ], Generate);

    static void Generate(WorkloadSettings settings, RequestList requests)
    {
        RandomDraws draws = settings.Draws();
        GrowingText[] prompts =
            [.. Enumerable.Range(0, settings.Whole("prompts")).Select(_ => requests.NewText().Append(draws.Tokens(settings["system"])))];
        var popularity = new Zipf(prompts.Length, settings["zipf"]);
        TimeSpan now = TimeSpan.Zero;
        for (int i = 0; i < settings.Whole("requests"); i++, now += draws.Pause(1 / settings["rate"]))
            requests.Ask(now, prompts[popularity.Draw(draws)].Copy().Append(draws.Tokens(settings["question"])),
                draws.Tokens(settings["answer"]));
    }
}
