using System.Diagnostics;

namespace Kvasir.Serving;

/// <summary>
/// Chats that share a system prompt: every client asks, waits for the answer, and asks again with all that was said before.
/// </summary>
sealed class Chats(RunningServer server, LoadOptions options, Prompts prompts)
{
    readonly ChatClient _client = new(server.Http, server.Model, options.MaxTokens);

    /// <summary>All clients at once, or spread over the ramp; the answers to all that was asked, and the seconds that it took.</summary>
    public async Task<(List<Answer> Answers, double Seconds)> TogetherAsync(CancellationToken limit)
    {
        long start = Stopwatch.GetTimestamp();
        Answer[][] all = await Task.WhenAll(
            Enumerable.Range(0, options.Clients).Select(i => Task.Run(() => DelayedAsync(i, limit), CancellationToken.None)));
        return ([.. all.SelectMany(answers => answers)], Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>The same chats one after another.</summary>
    public async Task<(List<Answer> Answers, double Seconds)> OneByOneAsync(CancellationToken limit)
    {
        long start = Stopwatch.GetTimestamp();
        List<Answer> all = [];
        for (int i = 0; i < options.Clients; i++)
            all.AddRange(await ChatAsync(i, limit));
        return (all, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    async Task<Answer[]> DelayedAsync(int client, CancellationToken limit)
    {
        await Task.Delay(options.Ramp * client / options.Clients, limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return await ChatAsync(client, limit);
    }

    /// <summary>A chat of all its turns. What follows a failure is not asked, and failed as well.</summary>
    async Task<Answer[]> ChatAsync(int client, CancellationToken limit)
    {
        List<Message> messages = [new("system", prompts.System)];
        Answer[] answers = new Answer[options.Turns];
        for (int turn = 0; turn < options.Turns; turn++)
        {
            messages.Add(new("user", prompts.User(client, turn)));
            answers[turn] = turn > 0 && answers[turn - 1].Error is not null
                ? new Answer { Turn = turn, Error = "not asked: the answer before failed" }
                : await _client.AskAsync(messages, turn, cancellation: limit);
            messages.Add(new("assistant", answers[turn].Text));
        }
        return answers;
    }
}
