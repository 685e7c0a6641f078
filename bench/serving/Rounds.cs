namespace Kvasir.Serving;

/// <summary>What one server did in one round.</summary>
/// <param name="Problems">Kinds of failure and how often each occurred.</param>
sealed record RoundResult(string Server, int Round, IReadOnlyList<Figure> Figures, IReadOnlyDictionary<string, int> Problems)
{
    /// <summary>Whether anything went wrong.</summary>
    public bool Failed => Problems.Count > 0;
}

/// <summary>Measures the servers in turns, each alone and fresh.</summary>
sealed class Rounds(LoadOptions options, CancellationToken interrupt)
{
    const double MiB = 1 << 20;

    readonly Dictionary<int, Prompts> _prompts = [];

    /// <summary>What stopped the rounds early; null if nothing did.</summary>
    public string? StoppedBy { get; private set; }

    /// <summary>The rounds of all servers; if something stops them early, those before it.</summary>
    /// <exception cref="ServingException">There are none: a server cannot be measured.</exception>
    /// <exception cref="OperationCanceledException">There are none: the user has enough.</exception>
    public async Task<List<RoundResult>> RunAsync()
    {
        List<RoundResult> results = [];
        try
        {
            await RunAsync(results);
        }
        catch (Exception e) when (results.Count > 0 && (e is ServingException or OperationCanceledException))
        {
            StoppedBy = e is ServingException ? e.Message : "interrupted";
        }
        return results;
    }

    /// <summary>Who is first changes from round to round, since the second may find the machine warmer.</summary>
    async Task RunAsync(List<RoundResult> results)
    {
        for (int round = 0; round < options.Rounds; round++)
            foreach (ServerSpec spec in round % 2 == 0 ? options.Servers : options.Servers.Reverse())
            {
                await Console.Error.WriteLineAsync($"{spec.Name}: round {round + 1} of {options.Rounds}");
                results.Add(await MeasureAsync(spec, round));
            }
    }

    async Task<RoundResult> MeasureAsync(ServerSpec spec, int round)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        limit.CancelAfter(options.Timeout + options.SoakTime);
        try
        {
            using RunningServer server = await RunningServer.StartAsync(spec, options.Model, limit.Token);
            return await MeasureAsync(spec, round, server, limit.Token);
        }
        catch (OperationCanceledException) when (!interrupt.IsCancellationRequested)
        {
            throw new ServingException(
                $"--server {spec.Name}: not ready, or not done, within {options.Timeout.TotalSeconds} s; --timeout allows more");
        }
    }

    async Task<RoundResult> MeasureAsync(ServerSpec spec, int round, RunningServer server, CancellationToken limit)
    {
        Prompts prompts = await PromptsAsync(round, server, limit);
        (ProcessUsage? before, TimeSpan ownBefore) = (server.Usage(), Environment.CpuUsage.TotalTime);
        Outcome outcome = await Scenarios.RunAsync(server, options, prompts, limit);
        (ProcessUsage? after, TimeSpan own) = (server.Usage(), Environment.CpuUsage.TotalTime - ownBefore);
        interrupt.ThrowIfCancellationRequested();
        Dictionary<string, int> problems = new(outcome.Problems);
        if (server.HasExited)
            problems["the server ended"] = 1;
        return new RoundResult(spec.Name, round, [.. outcome.Figures, .. Usage(before, after, own)], problems);
    }

    static Figure[] Usage(ProcessUsage? before, ProcessUsage? after, TimeSpan own) =>
    [
        new("peak_rss_mib", "peak RSS, MiB", after?.PeakBytes / MiB),
        new("cpu_s", "CPU, s", after?.CpuSeconds - before?.CpuSeconds, 1),
        new("generator_cpu_s", "CPU of the load generator, s", own.TotalSeconds, 1),
    ];

    async Task<Prompts> PromptsAsync(int round, RunningServer server, CancellationToken limit)
    {
        if (!_prompts.TryGetValue(round, out Prompts? prompts))
            _prompts[round] = prompts = await Prompts.MakeAsync(options, round, server.Http, limit);
        if (!prompts.Measured)
            await Console.Error.WriteLineAsync(
                "no /tokenize: the length of the system prompt is a guess; see the prompt tokens in the table");
        return prompts;
    }
}
