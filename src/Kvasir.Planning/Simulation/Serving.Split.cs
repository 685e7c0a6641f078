using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// What is different where some machines compute prompts for others: who answers asks one of them for all whole blocks that it lacks, gets
/// them while they are computed, and computes the rest of the prompt itself; all that has not come, too, if the other is lost.
/// </summary>
sealed partial class Serving
{
    /// <summary>Whether others compute its prompt.</summary>
    bool IsSplit(Visit visit) => fleet.Prefill is not null && visit.Helps is null && !visit.IsAlone;

    /// <summary>Has another machine compute what is missing, if there is one and it is worth it.</summary>
    void Delegate(Visit visit, double now)
    {
        int whole = (visit.Request.InputTokens - 1) / blockTokens;
        visit.Awaited = [.. Enumerable.Range(0, whole).Where(block => visit.Found[block] < 0)];
        if (visit.Awaited.Count * blockTokens < PeerOptions.LeastTokens)
            Finish(visit, now);
        else
        {
            visit.Tail = default; // that block comes whole
            double arrival = now + options.Peers.Latency.TotalSeconds;
            TraceRequest part = new(TimeSpan.FromSeconds(arrival), whole * blockTokens, 0, visit.Request.Blocks[..whole]);
            At(visit, arrival, time => Ask(visit, part, time));
        }
    }

    void Ask(Visit visit, TraceRequest part, double now)
    {
        if (!fleet.Prefill!.HasLive(now))
        {
            ComputeAlone(visit, now);
            return;
        }
        Visit help = fleet.Prefill.Help(visit, part, now);
        if (help.Machine.SilentUntil(now) is { } until)
            At(visit, until, time => ComputeAlone(visit, time));
        else
            Enter(help, now);
    }

    /// <summary>Computes what has not come, as if nobody else did, when its turn comes.</summary>
    void ComputeAlone(Visit visit, double now)
    {
        visit.IsAlone = true;
        visit.Helper = null;
        Enqueue(visit, now);
    }

    /// <summary>Asks who it computes for to send what it lacks itself; false when that is nothing.</summary>
    bool AsksBack(Visit help, double now)
    {
        if (help.Helps is not { IsLost: false } visit || help.Received.Count > 0)
            return false;
        int[] blocks = [.. Enumerable.Range(0, help.Found.Length).Where(block => help.Found[block] < 0 && visit.Found[block] >= 0)];
        if (blocks.Length == 0)
            return false;
        help.Received.UnionWith(blocks);
        fleet.Peers!.Begin(visit.Machine, blocks.Length * help.Machine.BlockBytes, now,
            sent => At(help, sent + 2 * options.Peers.Latency.TotalSeconds, time =>
            {
                Ledger.Received(help, blocks.Length * blockTokens);
                help.Waited += time - now;
                Compute(help, time);
            }));
        return true;
    }

    /// <summary>What a machine has of a prompt that it computes for another goes there at once, the rest as it is computed.</summary>
    void Send(Visit help, double begin)
    {
        int[] there = [.. help.Helps!.Awaited.Where(block => help.Found[block] >= 0)];
        if (there.Length > 0)
            Send(help, there, begin + help.Computed);
        foreach ((double after, int[] blocks) in fleet.Chunks(help))
            At(help, begin + Math.Max(after, help.Computed), time => Send(help, blocks, time));
    }

    void Send(Visit help, int[] blocks, double now)
    {
        Visit visit = help.Helps!;
        if (!visit.IsLost)
            fleet.Peers!.Begin(help.Machine, blocks.Length * help.Machine.BlockBytes, now,
                sent => At(visit, sent + options.Peers.Latency.TotalSeconds, time => Receive(visit, help, blocks, time)));
    }

    void Receive(Visit visit, Visit help, int[] blocks, double now)
    {
        if (visit.Helper != help)
            return; // it was given up
        Ledger.Received(visit, blocks.Length * blockTokens);
        visit.Received.UnionWith(blocks);
        visit.Awaited.ExceptWith(blocks);
        if (visit.Awaited.Count == 0)
            Finish(visit, now);
    }

    /// <summary>Computes the rest, beside others, since it is little: the last token in any case.</summary>
    void Finish(Visit visit, double now)
    {
        visit.Compute = fleet.Compute(visit);
        At(visit, now + visit.Compute, time => HasComputed(visit, time));
    }
}
