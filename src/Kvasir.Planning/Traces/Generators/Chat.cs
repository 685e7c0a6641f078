namespace Kvasir.Planning.Traces.Generators;

/// <summary>Conversations: each turn's prompt is everything before it and a new question.</summary>
static class Chat
{
    public static Workload Workload { get; } = new("chat", "conversations: each turn's prompt is everything before it and a new question",
    [
        new("users", 100, 1, 1e6, "conversations"),
        new("turns", 8, 1, 10_000, "turns of each"),
        new("think", 30, 0, 86_400, "mean seconds from one turn to the next, exponential", IsWhole: false),
        new("over", 3600, 0, 1e8, "seconds in which conversations begin, uniform", IsWhole: false),
        new("prompts", 1, 1, 1e6, "different system prompts, equally likely"),
        new("system", 1500, 0, 1e7, "tokens of a system prompt"),
        new("question", 80, 1, 1e7, "mean tokens of a question, uniform from half to one and a half"),
        new("answer", 300, 0, 1e7, "mean tokens of an answer, likewise"),
        new("seed", 1, 0, int.MaxValue, "start of the random numbers"),
    ], Generate);

    static void Generate(WorkloadSettings settings, RequestList requests)
    {
        RandomDraws draws = settings.Draws();
        GrowingText[] prompts =
            [.. Enumerable.Range(0, settings.Whole("prompts")).Select(_ => requests.NewText().Append(settings.Whole("system")))];
        for (int user = 0; user < settings.Whole("users"); user++)
        {
            GrowingText text = prompts[draws.Below(prompts.Length)].Copy();
            TimeSpan now = draws.Within(settings["over"]);
            for (int turn = 0; turn < settings.Whole("turns"); turn++, now += draws.Pause(settings["think"]))
                requests.Ask(now, text.Append(draws.Tokens(settings["question"])), draws.Tokens(settings["answer"]));
        }
    }
}
