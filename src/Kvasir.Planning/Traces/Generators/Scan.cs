namespace Kvasir.Planning.Traces.Generators;

/// <summary>Long prompts that are never seen again: what a cache should not keep.</summary>
static class Scan
{
    public static Workload Workload { get; } = new("scan", "long prompts that are never seen again",
    [
        new("requests", 200, 1, RequestList.MostRequests, "requests"),
        new("rate", 0.1, 0.001, 1e6, "requests a second, with exponential pauses", IsWhole: false),
        new("tokens", 20_000, 1, 1e7, "mean tokens of a prompt, uniform from half to one and a half"),
        new("answer", 200, 0, 1e7, "mean tokens of an answer, likewise"),
        new("seed", 1, 0, int.MaxValue, "start of the random numbers"),
    ], Generate);

    static void Generate(WorkloadSettings settings, RequestList requests)
    {
        RandomDraws draws = settings.Draws();
        TimeSpan now = draws.Pause(1 / settings["rate"]);
        for (int i = 0; i < settings.Whole("requests"); i++, now += draws.Pause(1 / settings["rate"]))
            requests.Ask(now, requests.NewText().Append(draws.Tokens(settings["tokens"])), draws.Tokens(settings["answer"]));
    }
}
