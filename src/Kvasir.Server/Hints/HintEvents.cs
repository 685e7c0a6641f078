using System.Diagnostics;
using System.Globalization;
using Kvasir.Cluster.Events;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Hints;

/// <summary>
/// <c>GET /v1/cluster/events</c>: who this node is, which prompts it has, and what it has to do, as long as somebody listens.
/// </summary>
sealed class HintEvents(InferenceEngine engine, PromptBook book, Func<NodeHello> hello, CancellationToken stopping)
{
    public void Map(IEndpointRouteBuilder routes) => routes.MapGet(NodeEvents.Path, Handle);

    async Task Handle(HttpContext context)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using PromptBook.Listener listener = book.Listen();
        try
        {
            using EventStream events = new(context.Response);
            events.Send(hello(), NodeEventsJson.Default.NodeHello, NodeEvents.Hello);
            using PeriodicTimer pace = new(NodeEvents.ShortestPause);
            NodeWork? told = null;
            long when = 0;
            do
            {
                bool hasNews = SendChanges(listener, events);
                NodeWork work = Work();
                if (work != told || Stopwatch.GetElapsedTime(when) > NodeEvents.LongestSilence - 2 * NodeEvents.ShortestPause)
                {
                    events.Send(work, NodeEventsJson.Default.NodeWork, NodeEvents.Load);
                    (told, when, hasNews) = (work, Stopwatch.GetTimestamp(), true);
                }
                if (hasNews)
                    await events.Flush(over.Token);
            }
            while (await pace.WaitForNextTickAsync(over.Token));
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // the router has gone, or the server goes
        }
    }

    static bool SendChanges(PromptBook.Listener listener, EventStream events)
    {
        bool any = false;
        for (; listener.Changes.TryRead(out var next); any = true)
            events.Send(next.Change, NodeEventsJson.Default.NodeChange, next.Kind);
        return any;
    }

    NodeWork Work()
    {
        SchedulerCounts counts = engine.Serving;
        return new NodeWork(counts.Running, counts.Waiting, counts.QueuedTokens, Rounded(engine.Cache.Costs.TokensPerSecond));
    }

    /// <summary>To two digits: what is not more exact need not be told again and again.</summary>
    static double Rounded(double rate) =>
        double.Parse(rate.ToString("G2", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
