using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>
/// Carries a run's pieces to its client: the first ones at once, then what has come in the meantime, thirty times a second at most, which
/// no eye tells from at once. On few cores every wake-up costs the engine part of a token. In long silences there is a sign of life.
/// </summary>
static class StreamPump
{
    static readonly TimeSpan s_pace = TimeSpan.FromSeconds(1.0 / 30);

    /// <summary>
    /// Runs until there is nothing more. A failure of the engine is told in the stream, as far as the protocol has words for it.
    /// </summary>
    /// <param name="run">What is read.</param>
    /// <param name="events">Where it goes.</param>
    /// <param name="send">Writes a piece in the words of the protocol.</param>
    /// <param name="fail">Writes a failure; null for OpenAI's way.</param>
    /// <param name="cancellation">The client has gone.</param>
    /// <exception cref="ToldException">The engine failed, and the client knows.</exception>
    public static Task Run(CompletionRun run, EventStream events, Action<ChoicePiece> send, Action<RequestException>? fail,
        CancellationToken cancellation) =>
        Run(run, (AnswerStream)events, send,
            fail ?? (failure => events.Send(ErrorBody.Of(failure), HttpJson.Default.ErrorBody)), cancellation);

    /// <summary>The same for a stream of another form.</summary>
    /// <inheritdoc cref="Run(CompletionRun, EventStream, Action{ChoicePiece}, Action{RequestException}, CancellationToken)"/>
    public static async Task Run(CompletionRun run, AnswerStream events, Action<ChoicePiece> send, Action<RequestException> fail,
        CancellationToken cancellation)
    {
        try
        {
            await Pump(run, events, send, cancellation);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            RequestException failure = Errors.Of(e, run.Request.Endpoint)
                ?? new RequestException(500, "the engine failed", code: "engine_failed");
            fail(failure);
            await events.Flush(cancellation);
            throw new ToldException(e);
        }
    }

    static async Task Pump(CompletionRun run, AnswerStream events, Action<ChoicePiece> send, CancellationToken cancellation)
    {
        bool isFirst = true;
        while (!run.IsOver)
        {
            bool any = false;
            while (run.TryRead(out ChoicePiece piece))
            {
                send(piece);
                any = true;
            }
            if (any)
            {
                await events.Flush(cancellation);
                if (!isFirst && !run.IsOver)
                    // but not beyond its end
                    await ((Task)run.Results).WaitAsync(s_pace, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                isFirst = false;
            }
            if (!run.IsOver && !await run.Wait())
            {
                events.SendPing();
                await events.Flush(cancellation);
            }
        }
    }
}
