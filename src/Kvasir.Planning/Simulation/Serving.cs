using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// The way of a request through the machine that serves it: it waits for its turn, asks, loads, is computed, and answered. While it is
/// computed, others wait.
/// </summary>
sealed class Serving(Fleet fleet, Agenda agenda, Ledger ledger, SimulationOptions options, int blockTokens,
    Action<TraceRequest, IReadOnlyList<int>>? observe)
{
    /// <summary>A request comes.</summary>
    public void Arrive(TraceRequest request, double now)
    {
        Visit visit = fleet.Place(request, now);
        Machine machine = visit.Machine;
        if (options.IsInstant)
            ServeAtOnce(visit, now);
        else if (machine.IsBusy)
        {
            machine.Waiting.Enqueue(visit);
            machine.Backlog += visit.Estimate;
        }
        else
            Begin(visit, now);
    }

    void ServeAtOnce(Visit visit, double now)
    {
        visit.Start = now;
        visit.Waited = fleet.Ask(visit, now);
        double near = fleet.Take(visit), far = 0;
        if (fleet.StoreBlocks(visit) is > 0 and var blocks)
            Learn(visit, blocks, far = fleet.Store!.ReadAlone(blocks, now));
        visit.Waited += Math.Max(near, far);
        Account(visit);
        Fleet.Complete(visit, blockTokens);
        fleet.End(visit, now);
    }

    void Begin(Visit visit, double now)
    {
        visit.Start = now;
        visit.Machine.IsBusy = true;
        visit.Machine.BusyUntil = now + visit.Estimate;
        visit.Waited = fleet.Ask(visit, now);
        if (visit.Waited == 0)
            Serve(visit, now);
        else
            agenda.At(now + visit.Waited, time => Serve(visit, time));
    }

    /// <summary>Brings in what is found; when the store is late, begins to compute without it.</summary>
    void Serve(Visit visit, double now)
    {
        double near = fleet.Take(visit);
        if (fleet.StoreBlocks(visit) > 0)
            Load(visit, now, near);
        else
        {
            visit.Waited += near;
            if (visit.Late.Length > 0)
                ComputeUntilAnswer(visit, now + near);
            else
                Compute(visit, now + near);
        }
    }

    void ComputeUntilAnswer(Visit visit, double now)
    {
        (int block, visit.Computed) = fleet.Reach(visit, visit.LateBy);
        agenda.At(now + visit.Computed, time =>
        {
            Fleet.TakeLate(visit, block);
            if (fleet.StoreBlocks(visit) > 0)
                Load(visit, time, 0);
            else
                Compute(visit, time);
        });
    }

    /// <summary>
    /// Waits for the store's blocks as long as the engine does; what comes later is lost, but says how fast the store is.
    /// </summary>
    void Load(Visit visit, double now, double near)
    {
        TransferCosts costs = visit.Machine.Costs;
        int blocks = fleet.StoreBlocks(visit);
        TimeSpan patience = costs.PatienceToLoad(visit.Machine.TokensOf(blocks)), sure = costs.Sure(Tier.Remote, patience);
        bool isOver = false;
        Transfer transfer = fleet.Store!.Read(visit.Machine, blocks, now,
            sent => agenda.At(sent + fleet.Store.Tier.Latency.TotalSeconds, Come));
        agenda.At(now + sure.TotalSeconds, _ => Look(sure));

        void Come(double time)
        {
            Learn(visit, blocks, time - now);
            GoOn(Math.Max(time, now + near));
        }

        void Look(TimeSpan time)
        {
            if (isOver)
                return;
            if (!costs.IsLate(Tier.Remote, time, patience, fleet.Store.Link.Share(transfer, now + time.TotalSeconds)))
            {
                TimeSpan next = 2 * time < patience ? 2 * time : patience;
                agenda.At(now + next.TotalSeconds, _ => Look(next));
                return;
            }
            fleet.GiveUp(visit);
            GoOn(now + Math.Max(time.TotalSeconds, near));
        }

        void GoOn(double time)
        {
            if (isOver)
                return;
            isOver = true;
            visit.Waited += time - now;
            Compute(visit, time);
        }
    }

    static void Learn(Visit visit, int blocks, double seconds) =>
        visit.Machine.Costs.Loaded(Tier.Remote, blocks * visit.Machine.BlockBytes, TimeSpan.FromSeconds(seconds));

    void Compute(Visit visit, double now)
    {
        visit.Machine.BusyUntil = now + Account(visit) - visit.Computed;
        agenda.At(visit.Machine.BusyUntil, time => HasComputed(visit, time));
    }

    /// <summary>It is known what a request takes; returns the seconds of computing.</summary>
    double Account(Visit visit)
    {
        double compute = fleet.Compute(visit);
        ledger.Served(visit, fleet, compute);
        observe?.Invoke(visit.Request, visit.Found);
        return compute;
    }

    void HasComputed(Visit visit, double now)
    {
        Fleet.Complete(visit, blockTokens);
        agenda.At(now + visit.Request.OutputTokens * options.SecondsPerOutputToken, time => fleet.End(visit, time));
        Machine machine = visit.Machine;
        machine.IsBusy = false;
        if (!machine.Waiting.TryDequeue(out Visit? next))
            return;
        machine.Backlog -= next.Estimate;
        Begin(next, now);
    }
}
