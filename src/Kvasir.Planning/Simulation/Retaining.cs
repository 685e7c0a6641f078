using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Views;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// How requests come to views, as in the engine: one that is there is entered; else the prefix is found or computed exactly, looked at,
/// gathered into a view and given back. What follows is chained under the view's name, so that no exact request finds it.
/// </summary>
sealed class Retaining(SimulatedRetention retention, PrefillCost prefill, int blockTokens)
{
    readonly Dictionary<int, int?> _slots = []; // by blocks of a prefix

    /// <summary>Whether others find the views.</summary>
    public bool IsShared { get; } = !retention.Policy.IsAware;

    public long Made { get; private set; }

    public long Found { get; private set; }

    public long Exact { get; private set; }

    public long NoRoom { get; private set; }

    public long Tokens { get; private set; }

    public double Seconds { get; private set; }

    /// <summary>Blocks of a prompt that are thinned, or behind a view of them on the machine; none when it stays exact.</summary>
    public (int Blocks, MachineView? View) Road(Machine machine, int inputTokens, BlockKey[] keys)
    {
        int question = Math.Max(1, IsShared ? retention.QuestionTokens : 0), prefix = Math.Max(0, inputTokens - question) / blockTokens;
        if (prefix == 0 || Slots(prefix) is null)
            return (0, null);
        MachineView? view = IsShared ? machine.Views.FindLongest(keys.AsSpan(0, prefix)) : null;
        return view is not null && !ViewReach.IsTooShort(view.Blocks * blockTokens, prefix * blockTokens)
            ? (view.Blocks, view)
            : (prefix, null);
    }

    /// <summary>A request's turn has come: it enters a view, or is to make one.</summary>
    public void Arrive(Visit visit)
    {
        (int blocks, MachineView? view) = Road(visit.Machine, visit.Request.InputTokens, visit.Keys);
        visit.Thin(blocks, view);
        if (view is not null)
        {
            visit.Machine.Views.Use(view);
            (Found, Tokens) = (Found + 1, Tokens + (long)blocks * blockTokens);
        }
        else if (blocks == 0)
            Exact++;
    }

    /// <summary>Takes the room of a view that is to be made; without it the request stays exact.</summary>
    public void Reserve(Visit visit)
    {
        List<MutableBlock> slots = [];
        for (int slot = Slots(visit.Prefix)!.Value; slot > 0; slot--)
            if (visit.Machine.TryAllocate() is { } own)
                slots.Add(own);
            else
            {
                slots.ForEach(taken => taken.Dispose());
                StayExact(visit);
                return;
            }
        visit.View = new MachineView(visit.Keys[visit.Prefix - 1], visit.Prefix, [.. slots]) { Readers = 1 };
        Made++;
    }

    void StayExact(Visit visit)
    {
        visit.Found.AsSpan(visit.Prefix).Fill(-1);
        visit.Thin(0, null);
        (Exact, NoRoom) = (Exact + 1, NoRoom + 1);
    }

    /// <summary>Seconds in which a request's prefix is looked at.</summary>
    public double Profile(Visit visit)
    {
        double seconds = visit.MakesView ? ProfileSeconds(visit.Prefix) : 0;
        Seconds += seconds;
        return seconds;
    }

    public double ProfileSeconds(int blocks) => retention.ProfileSeconds(prefill, (long)blocks * blockTokens);

    /// <summary>Seconds between two tokens of an answer.</summary>
    public double? SecondsPerOutputToken(Visit visit) => visit.View is null ? null : retention.SecondsPerOutputToken;

    public RetentionResult Result(IEnumerable<Machine> machines) =>
        new(Made, Found, Exact, NoRoom, Tokens, Seconds, machines.Sum(machine => machine.Reclaimed));

    int? Slots(int blocks)
    {
        if (!_slots.TryGetValue(blocks, out int? slots))
        {
            long tokens = (long)blocks * blockTokens;
            _slots.Add(blocks, slots = retention.Slots(tokens, blockTokens));
        }
        return slots;
    }
}
