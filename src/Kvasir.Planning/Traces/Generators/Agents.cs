namespace Kvasir.Planning.Traces.Generators;

/// <summary>
/// Programs that call tools: a context that grows by each call and its result, and now and then a sub-agent
/// that goes its own way from there.
/// </summary>
static class Agents
{
    public static Workload Workload { get; } = new("agent",
        "tasks with tools: contexts that grow by each call's result, and sub-agents that branch off",
    [
        new("tasks", 50, 1, 1e6, "tasks"),
        new("steps", 20, 1, 10_000, "calls of each"),
        new("over", 3600, 0, 1e8, "seconds in which tasks begin, uniform", IsWhole: false),
        new("pause", 5, 0, 86_400, "mean seconds from one call to the next, exponential", IsWhole: false),
        new("system", 4000, 0, 1e7, "tokens of instructions and tools, the same for all"),
        new("task", 400, 1, 1e7, "mean tokens of a task, uniform from half to one and a half"),
        new("result", 900, 1, 1e7, "mean tokens of a tool's result, likewise"),
        new("answer", 150, 0, 1e7, "mean tokens of a call, likewise"),
        new("branch", 0.1, 0, 1,
            "chance that a step starts a sub-agent, which knows all so far and makes half as many calls; its report comes back as a result",
            IsWhole: false),
        new("seed", 1, 0, int.MaxValue, "start of the random numbers"),
    ], Generate);

    static void Generate(WorkloadSettings settings, RequestList requests)
    {
        var agent = new Agent(settings, requests);
        GrowingText system = requests.NewText().Append(settings.Whole("system"));
        for (int task = 0; task < settings.Whole("tasks"); task++)
            agent.Work(agent.Begin(), system.Copy().Append(agent.Task()), settings.Whole("steps"), settings["branch"]);
    }

    sealed class Agent(WorkloadSettings settings, RequestList requests)
    {
        readonly RandomDraws _draws = settings.Draws();

        public TimeSpan Begin() => _draws.Within(settings["over"]);

        public int Task() => _draws.Tokens(settings["task"]);

        /// <summary>Makes the calls; returns when the last is over. Sub-agents have none of their own.</summary>
        public TimeSpan Work(TimeSpan now, GrowingText text, int steps, double branch)
        {
            for (int step = 0; step < steps; step++)
            {
                requests.Ask(now, text, _draws.Tokens(settings["answer"]));
                now += _draws.Pause(settings["pause"]);
                if (_draws.Uniform() < branch)
                    now = Work(now, text.Copy().Append(Task()), Math.Max(1, steps / 2), branch: 0);
                text.Append(_draws.Tokens(settings["result"]));
            }
            return now;
        }
    }
}
