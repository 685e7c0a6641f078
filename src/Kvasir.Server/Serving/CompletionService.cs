using System.Diagnostics;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;
using Kvasir.Server.Hints;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Serving;

/// <summary>Runs what requests ask for, and tells what came of it: to the log, the metrics and whoever listens.</summary>
sealed class CompletionService(
    ServedModel model, ServingOptions options, RequestLog log, ServerLog lines, PromptKeeper keeper, TraceRecorder? recorder)
{
    public ServedModel Model => model;

    public ServingOptions Options => options;

    /// <summary>Serves a request: begins its completions, has them read, and accounts for them, however it ends.</summary>
    /// <param name="context">The request; if its client goes away, so do the completions.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="answer">Reads the pieces and writes the answer; returns what ended it, in the words of the protocol.</param>
    public async Task Serve(HttpContext context, CompletionRequest request, Func<CompletionRun, Task<string>> answer)
    {
        long start = Stopwatch.GetTimestamp();
        using CompletionRun run = Begin(request, context.RequestAborted);
        run.Slot = model.Slots.Take(request);
        string status = "error";
        try
        {
            status = await answer(run);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            status = "cancelled";
        }
        finally
        {
            await Account(run, context.RequestAborted.IsCancellationRequested ? "cancelled" : status, start);
            if (request.Prompts.Count == 1)
                context.Features.Get<PromptBook>()?.Served(context, request.Prompts[0], request.Salt);
        }
    }

    CompletionRun Begin(CompletionRequest request, CancellationToken cancellation)
    {
        try
        {
            return new CompletionRun(model, request, cancellation);
        }
        catch (QueueFullException)
        {
            log.Reject();
            throw;
        }
        catch (ArgumentException e) when (request.Options.Retention is { Policy: var policy })
        {
            throw new RequestException(400, $"kv_retention: '{policy}': {e.Message}", "kv_retention"); // this model's rows do not allow it
        }
    }

    async Task Account(CompletionRun run, string status, long start)
    {
        run.Cancel();
        GenerationResult[] results = [];
        try
        {
            results = await run.Results;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            status = "error"; // the answer has told its client already
        }
        model.Slots.Leave(run.Slot, run.Request, results);
        RequestRecord record = Record(run.Request, status, results, Stopwatch.GetElapsedTime(start));
        log.Add(record, results);
        recorder?.Record(run.Request.Prompts, run.Request.PerPrompt, run.Request.Salt, results, start);
        ServerMetrics.Served(record, model.Id, results);
        if (results.Length > 0 && status != "error")
            keeper.Keep(run.Request);
        lines.Request(record, results.FirstOrDefault()?.ReusedTokens ?? 0, run.Request.Principal.Name);
    }

    RequestRecord Record(CompletionRequest request, string status, GenerationResult[] results, TimeSpan duration) => new(
        request.Id, request.Endpoint, status, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0, request.PromptTokens,
        results.Sum(result => result.TokenIds.Count),
        results.Length > 0 ? results[0].QueueTime.TotalSeconds : 0,
        results.Length > 0 ? results.Min(result => result.TimeToFirstToken.TotalSeconds) : 0, duration.TotalSeconds,
        results.Length > 0
            ? Explanation.Of(results[0], options.ShowsText ? model.Engine.Model.Tokenizer : null, seesOthers: true) with
            {
                Node = model.Node,
            }
            : null);
}
