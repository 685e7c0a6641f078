using System.Collections.Concurrent;
using System.Diagnostics;

namespace Kvasir.Serving;

/// <summary>
/// Keeps the server saturated with chats of which a third are left in mid-stream or while they wait, and
/// looks for what is never given back.
/// </summary>
sealed class Soak(RunningServer server, LoadOptions options, Prompts prompts)
{
    const int SystemPrompts = 4; // more than one, so that caches have something to forget
    static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);

    readonly ChatClient _client = new(server.Http, server.Model, options.MaxTokens);
    readonly ConcurrentDictionary<string, int> _problems = new();
    readonly List<double> _residentMiB = []; // one a minute
    int _asked, _left, _failed;
    long _tokens;

    public async Task<Outcome> RunAsync(CancellationToken limit)
    {
        using CancellationTokenSource time = CancellationTokenSource.CreateLinkedTokenSource(limit);
        time.CancelAfter(options.SoakTime);
        Note("minute, RSS MiB, asked, left, errors");
        Task[] clients =
            [.. Enumerable.Range(0, options.Clients).Select(i => Task.Run(() => TalkAsync(i, time.Token, limit), CancellationToken.None))];
        await ReportAsync(Task.WhenAll(clients));
        long? leased = await KvStats.LeasedBlocksAtRestAsync(server.Http, limit);
        if (leased > 0)
            _problems["blocks are still leased although nobody asks"] = (int)Math.Min(leased.Value, int.MaxValue);
        return new Outcome(Figures(leased), _problems);
    }

    /// <summary>
    /// Chats until the time is up; an answer in progress may end. A server that refuses at once is not asked in a tight loop.
    /// </summary>
    async Task TalkAsync(int client, CancellationToken time, CancellationToken limit)
    {
        Random random = new(unchecked(options.Seed * 65_537 + client));
        for (int chat = 0; !time.IsCancellationRequested && !server.HasExited; chat++)
        {
            List<Message> messages = [new("system", SystemPrompt(random.Next(SystemPrompts)))];
            for (int turn = 0; turn < options.Turns && !time.IsCancellationRequested; turn++)
            {
                messages.Add(new("user", prompts.User(client + options.Clients * chat, turn)));
                if (await AskAsync(messages, turn, random, limit) is not { } answer)
                    break;
                messages.Add(new("assistant", answer.Text));
            }
        }
    }

    string SystemPrompt(int number) => $"Part {number}. {prompts.System}";

    /// <summary>An answer to go on from; null if it was left or failed.</summary>
    async Task<Answer?> AskAsync(List<Message> messages, int turn, Random random, CancellationToken limit)
    {
        bool leavesEarly = random.Next(6) == 0, leavesInStream = !leavesEarly && random.Next(5) == 0;
        using CancellationTokenSource impatience = CancellationTokenSource.CreateLinkedTokenSource(limit);
        if (leavesEarly)
            impatience.CancelAfter(random.Next(1000));
        Interlocked.Increment(ref _asked);
        Answer answer = await _client.AskAsync(messages, turn,
            leavesInStream ? random.Next(options.MaxTokens) : int.MaxValue, impatience.Token);
        Interlocked.Add(ref _tokens, answer.GapsMs.Count + (answer.FirstTokenMs is null ? 0 : 1));
        if (answer.Error is null && answer.Usage is not null)
            return answer;
        if (answer.Error is null || impatience.IsCancellationRequested && !limit.IsCancellationRequested)
            Interlocked.Increment(ref _left);
        else
            await FailAsync(answer.Error);
        return null;
    }

    async Task FailAsync(string error)
    {
        Interlocked.Increment(ref _failed);
        _problems.AddOrUpdate(error, 1, (_, count) => count + 1);
        await Task.Delay(100);
    }

    async Task ReportAsync(Task clients)
    {
        long start = Stopwatch.GetTimestamp();
        for (int minute = 0; ; minute++)
        {
            double? resident = server.Usage()?.ResidentBytes / (double)(1 << 20);
            Note($"{minute}, {resident:F0}, {_asked}, {_left}, {_failed}");
            _residentMiB.Add(resident ?? 0);
            if (clients.IsCompleted)
                break;
            await Task.WhenAny(clients, Task.Delay(s_minute * (minute + 1) - Stopwatch.GetElapsedTime(start)));
        }
        await clients;
    }

    Figure[] Figures(long? leased) =>
    [
        new("asked", "questions", _asked),
        new("left", "left in mid-stream", _left),
        new("errors", "errors", _failed),
        new("output_events_per_s", "pieces of text a second", _tokens / options.SoakTime.TotalSeconds, 1),
        new("rss_first_mib", "RSS at the start, MiB", _residentMiB[0]),
        new("rss_second_mib", "RSS after a minute, MiB", _residentMiB[Math.Min(1, _residentMiB.Count - 1)]),
        new("rss_last_mib", "RSS at the end, MiB", _residentMiB[^1]),
        new("leased_blocks", "blocks leased at the end", leased),
    ];

    static void Note(string line) => Console.Error.WriteLine(line);
}
