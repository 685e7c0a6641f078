using System.Buffers;
using Kvasir.KvCache.Blocks;
using Kvasir.RemoteTiers.Indexes;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>Writes blocks in runs: the values of each, and when they are there, the entries that name them.</summary>
sealed class RunWriter(RunValues values, RunShape shape, IStoreIndex index, StoredRecords records, TimeSpan life, TimeProvider time)
{
    const int MostOutstanding = 8;
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5); // the pool holds the blocks for so long: what is left then is dropped

    readonly int _outstanding = Math.Clamp(shape.Outstanding / 2, 1, MostOutstanding);

    /// <summary>Cuts blocks, those of a chain in their order, into runs that follow each other without a gap.</summary>
    public List<BlockWrite[]> Runs(IEnumerable<BlockWrite> blocks)
    {
        List<List<BlockWrite>> runs = [];
        foreach (BlockWrite block in blocks)
            if (runs is [.., var run] && run.Count < shape.MostBlocks && run[^1].Key == block.Parent && !shape.Ends(block.Parent))
                run.Add(block);
            else
                runs.Add([block]);
        return [.. runs.Select(run => run.ToArray())];
    }

    /// <summary>Writes runs, and returns the blocks of those that are there now as a whole.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="failed">Why others are not; null when they are.</param>
    public async Task<IReadOnlyList<StoredBlock>> Write(IReadOnlyList<BlockWrite[]> runs, Action<Exception> failed)
    {
        bool[] done = await PutValues(runs, failed).ConfigureAwait(false);
        StoredBlock[][] there = [.. runs.Where((_, run) => done[run]).Select(Blocks)];
        if (there.Length == 0)
            return [];
        try
        {
            await records.Put(there.SelectMany(index.Entries), life).ConfigureAwait(false);
            return [.. there.SelectMany(run => run)];
        }
        catch (Exception e)
        {
            failed(e);
            return [];
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
            foreach (GroupRange value in values.Values)
            {
                if (flying.Count == _outstanding && ok)
                    ok = await Land(flying.Dequeue()).ConfigureAwait(false);
                if (ok)
                    flying.Enqueue(Begin(runs[run], run, value));
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
                done[flight.Run] = ok && flight.Value == values.Values[^1];
                return true;
            }
            catch (Exception e)
            {
                failed(e);
                return false;
            }
        }
    }

    Flight Begin(BlockWrite[] blocks, int number, GroupRange value)
    {
        StoredRun run = index.RunOf(blocks);
        int bytes = checked((int)values.Bytes(run, value));
        byte[] buffer = ArrayPool<byte>.Shared.Rent(bytes);
        return new Flight(values.Put(run, value, blocks, buffer.AsMemory(0, bytes), life), buffer, number, value);
    }

    StoredBlock[] Blocks(BlockWrite[] blocks)
    {
        StoredRun run = index.RunOf(blocks);
        DateTimeOffset now = time.GetUtcNow();
        return [.. blocks.Select((block, i) => new StoredBlock(block.Parent, block.Tokens, run, i, now))];
    }

    sealed record Flight(Task Put, byte[] Buffer, int Run, GroupRange Value);
}
