using Kvasir.Inference.Scheduling;

namespace Kvasir.Server.Serving;

/// <summary>What a slot does, or did last.</summary>
/// <param name="Number">Its number, from 0.</param>
/// <param name="Running">How many requests are in it.</param>
/// <param name="Task">The number of the last request in it, among all; -1 when there was none.</param>
/// <param name="Last">The last request; null when there was none.</param>
/// <param name="Tokens">Tokens of the prompt and the answer that ended last in it.</param>
/// <param name="Salt">What keeps their keys and values apart from others'.</param>
sealed record Slot(int Number, int Running, long Task, CompletionRequest? Last, int[] Tokens, byte[] Salt);

/// <summary>
/// Slots as llama-server's clients know them: as many as completions may compute at the same time. No slot owns a part of the cache here,
/// and whatever its number a request finds all that is there; a slot is a name for what ran last under it.
/// </summary>
sealed class SlotBook(int count)
{
    readonly Lock _gate = new();
    readonly Slot[] _slots = [.. Enumerable.Range(0, count).Select(number => new Slot(number, 0, -1, null, [], []))];
    long _tasks;

    public int Count => count;

    /// <summary>All of them at this moment.</summary>
    public IReadOnlyList<Slot> All
    {
        get
        {
            lock (_gate)
                return [.. _slots];
        }
    }

    /// <summary>Puts a request into the slot that it wants, else into the first that is free, else into the last.</summary>
    public int Take(CompletionRequest request)
    {
        lock (_gate)
        {
            int free = Array.FindIndex(_slots, slot => slot.Running == 0), number = request.Slot ?? (free < 0 ? count - 1 : free);
            Slot slot = _slots[number];
            _slots[number] = slot with { Running = slot.Running + 1, Task = _tasks++, Last = request };
            return number;
        }
    }

    /// <summary>A request in it is over.</summary>
    public void Leave(int number, CompletionRequest request, IReadOnlyList<GenerationResult> results)
    {
        lock (_gate)
        {
            Slot slot = _slots[number] with { Running = _slots[number].Running - 1 };
            _slots[number] = results.Count == 0 ? slot
                : slot with { Tokens = [.. request.Prompts[0], .. results[0].TokenIds], Salt = request.Salt };
        }
    }

    /// <summary>Forgets what ran in a slot last.</summary>
    public void Clear(int number)
    {
        lock (_gate)
        {
            Slot slot = _slots[number];
            _slots[number] = slot with { Last = slot.Running > 0 ? slot.Last : null, Tokens = [] };
        }
    }
}
