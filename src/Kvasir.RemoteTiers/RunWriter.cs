using System.Buffers;
using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.RemoteTiers.Stores;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>
/// Writes blocks as values: runs of consecutive blocks, a value for each group of layers, and when they are there, the entries that name
/// them.
/// </summary>
sealed class RunWriter(
    ImmutableArray<LayerGroup> groups, ValueFormat format, StoreNames names, StoredRecords records, TimeSpan life, TimeProvider time)
{
    const int Outstanding = 8, TargetBytes = 512 << 10, MostOfRun = 16;
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5); // the pool holds the blocks for so long: what is left then is dropped

    /// <summary>Blocks of a run: values of small models would be too small for a store to be fast.</summary>
    public int RunLength { get; } = (int)Math.Clamp(TargetBytes / groups.Max(group => group.Bytes), 1, MostOfRun);

    /// <summary>Cuts blocks, those of a chain in their order, into runs that follow each other without a gap.</summary>
    public List<BlockWrite[]> Runs(IEnumerable<BlockWrite> blocks)
    {
        List<List<BlockWrite>> runs = [];
        foreach (BlockWrite block in blocks)
            if (runs is [.., var run] && run.Count < RunLength && run[^1].Key == block.Parent)
                run.Add(block);
            else
                runs.Add([block]);
        return [.. runs.Select(run => run.ToArray())];
    }

    /// <summary>Writes runs, and returns the entries of those that are there now as a whole.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="failed">Why others are not; null when they are.</param>
    public async Task<IReadOnlyList<BlockEntry>> Write(IReadOnlyList<BlockWrite[]> runs, Action<Exception> failed)
    {
        bool[] done = await PutValues(runs, failed).ConfigureAwait(false);
        BlockEntry[] entries = [.. runs.Where((_, run) => done[run]).SelectMany(Entries)];
        if (entries.Length == 0)
            return [];
        try
        {
            await records.Put(entries.SelectMany(Named), life).ConfigureAwait(false);
            return entries;
        }
        catch (Exception e)
        {
            failed(e);
            return [];
        }

        IEnumerable<(string, byte[])> Named(BlockEntry entry)
        {
            byte[] bytes = entry.ToBytes(format.Fingerprint);
            yield return (names.Block(entry.Key), bytes);
            yield return (names.Tail(entry.Parent), bytes); // of a full block, too: a prompt may end within it
        }
    }

    /// <summary>Writes the values of runs, a few at a time; of each run, whether all of it is there. Ends with the first failure.</summary>
    async Task<bool[]> PutValues(IReadOnlyList<BlockWrite[]> runs, Action<Exception> failed)
    {
        bool[] done = new bool[runs.Count];
        Queue<Flight> flying = [];
        long start = time.GetTimestamp();
        bool ok = true;
        for (int run = 0; run < runs.Count && ok && time.GetElapsedTime(start) < s_patience; run++)
            for (int group = 0; group < groups.Length && ok; group++)
            {
                if (flying.Count == Outstanding)
                    ok = await Land(flying.Dequeue()).ConfigureAwait(false);
                if (ok)
                    flying.Enqueue(Begin(runs[run], run, group));
            }
        while (flying.TryDequeue(out Flight? flight))
            ok &= await Land(flight).ConfigureAwait(false);
        return done;

        async Task<bool> Land(Flight flight)
        {
            try
            {
                await flight.Put.ConfigureAwait(false);
                ArrayPool<byte>.Shared.Return(flight.Buffer); // of one that failed, the library may still be sending
                done[flight.Run] = ok && flight.Group == groups.Length - 1;
                return true;
            }
            catch (Exception e)
            {
                failed(e);
                return false;
            }
        }
    }

    Flight Begin(BlockWrite[] run, int index, int group)
    {
        int bytes = format.Bytes(group, run.Length);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(records.Stored(bytes));
        Task put = records.Put(
            names.Value(run[^1].Key, run.Length, group), buffer, bytes, life, (value, _) => format.Write(value, group, run));
        return new Flight(put, buffer, index, group);
    }

    IEnumerable<BlockEntry> Entries(BlockWrite[] run)
    {
        DateTimeOffset now = time.GetUtcNow();
        return run.Select((block, index) => new BlockEntry(block.Parent, block.Tokens, run[^1].Key, index, run.Length, now));
    }

    sealed record Flight(Task Put, byte[] Buffer, int Run, int Group);
}
