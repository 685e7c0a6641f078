using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// The way of a request through the machine that serves it: it waits for its turn, asks, loads, is computed, and answered. While it is
/// computed, others wait.
/// </summary>
sealed partial class Serving(Fleet fleet, Agenda agenda, Ledger ledger, SimulationOptions options, int blockTokens,
    Action<TraceRequest, IReadOnlyList<int>>? observe)
{
    /// <summary>A request comes.</summary>
    public void Arrive(TraceRequest request, double now)
    {
        Visit visit = fleet.Placing.Place(request, now);
        if (options.IsInstant)
            ServeAtOnce(visit, now);
        else if (visit.Machine.SilentUntil(now) is { } until)
            agenda.At(until, time => Resend(request, time));
        else
            Enter(visit, now);
    }

    /// <summary>A request is at its machine, where one prompt is computed at a time, unless others compute them.</summary>
    void Enter(Visit visit, double now)
    {
        visit.Machine.Unanswered.Add(visit);
        if (IsSplit(visit))
            Begin(visit, now);
        else
            Enqueue(visit, now);
    }

    void Enqueue(Visit visit, double now)
    {
        Machine machine = visit.Machine;
        if (machine.Current is not null)
        {
            machine.Waiting.Enqueue(visit);
            machine.Backlog += visit.Estimate;
        }
        else
        {
            machine.Current = visit;
            machine.BusyUntil = now + visit.Estimate;
            Begin(visit, now);
        }
    }

    /// <summary>Something goes wrong. What a lost machine had not begun to answer is sent again when the loss is known.</summary>
    public void Suffer(Fault fault)
    {
        if (fault.Kind != FaultKind.NodeLoss)
            fleet.Suffer(fault);
        else
            foreach (Machine machine in fleet.Affected(fault))
                Lose(machine, fault.At.TotalSeconds, fault.Amount);
    }

    void Lose(Machine machine, double now, double seconds)
    {
        double known = now + (options.IsInstant ? 0 : options.LossKnownAfter.TotalSeconds);
        fleet.Placing.Lost(machine, known);
        agenda.At(known, _ => fleet.Prefill?.Forget(machine, fleet.Machines));
        foreach (Visit visit in machine.Lose(known, Math.Max(known, now + seconds)))
        {
            visit.Release();
            agenda.At(known, time =>
            {
                if (visit.Helps is null)
                    Resend(visit.Request, time);
                else if (!visit.Helps.IsLost)
                    ComputeAlone(visit.Helps, time);
            });
        }
    }

    void Resend(TraceRequest request, double now)
    {
        ledger.Resent();
        Arrive(request, now);
    }

    void ServeAtOnce(Visit visit, double now)
    {
        visit.Start = now;
        visit.Waited = fleet.Ask(visit, now);
        double near = fleet.Take(visit), far = 0;
        if (fleet.StoreBlocks(visit) is > 0 and var blocks)
            Learn(visit, blocks, far = fleet.Store!.ReadAlone(blocks, now));
        visit.Waited += Math.Max(near, far);
        visit.Compute = fleet.Compute(visit);
        Account(visit, now + visit.Waited + visit.Compute);
        fleet.Complete(visit, now);
        fleet.End(visit, now);
    }

    void Begin(Visit visit, double now)
    {
        if (visit.IsAlone)
        {
            Compute(visit, now); // all that was to be found has been
            return;
        }
        visit.Start = now;
        visit.Waited = fleet.Ask(visit, now);
        if (visit.Waited == 0)
            Serve(visit, now);
        else
            At(visit, now + visit.Waited, time => Serve(visit, time));
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
        At(visit, now + visit.Computed, time =>
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
            sent => At(visit, sent + fleet.Store.Tier.Latency.TotalSeconds, Come));
        At(visit, now + sure.TotalSeconds, _ => Look(sure));

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
                At(visit, now + next.TotalSeconds, _ => Look(next));
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
        if (IsSplit(visit))
        {
            Delegate(visit, now);
            return;
        }
        if (AsksBack(visit, now))
            return;
        visit.Compute = fleet.Compute(visit);
        visit.Machine.BusyUntil = now + visit.Compute - visit.Computed;
        if (visit.Helps is not null)
            Send(visit, now - visit.Computed);
        At(visit, visit.Machine.BusyUntil, time => HasComputed(visit, time));
    }

    /// <summary>Plans a step of a request, which is not taken when its machine is lost before.</summary>
    void At(Visit visit, double time, Action<double> happens) => agenda.At(time, now =>
    {
        if (!visit.IsLost)
            happens(now);
    });

    void Account(Visit visit, double now)
    {
        ledger.Computed(visit, fleet);
        if (visit.Helps is not null)
            return;
        ledger.Served(visit, now);
        observe?.Invoke(visit.Request, visit.Found);
    }

    void HasComputed(Visit visit, double now)
    {
        Machine machine = visit.Machine;
        Account(visit, now);
        fleet.Complete(visit, now);
        machine.Unanswered.Remove(visit);
        machine.Answering++;
        double step = fleet.Streaming.Step(visit, fleet.Retaining?.SecondsPerOutputToken(visit) ?? options.SecondsPerOutputToken);
        agenda.At(now + visit.Request.OutputTokens * step, time => End(visit, time));
        if (machine.Current != visit)
            return;
        machine.Current = null;
        if (!machine.Waiting.TryDequeue(out Visit? next))
            return;
        machine.Backlog -= next.Estimate;
        machine.Current = next;
        machine.BusyUntil = now + next.Estimate;
        Begin(next, now);
    }

    void End(Visit visit, double now)
    {
        if (visit.IsLost)
            ledger.Cut();
        else
            visit.Machine.Answering--;
        fleet.End(visit, now);
    }
}
