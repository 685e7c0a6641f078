using System.Buffers;
using System.Collections.Immutable;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// The values of runs. Each has some groups of layers, one after the other, and every group proves itself by <see cref="ValueFormat"/> and is
/// sealed by itself, so that it can be read alone.
/// </summary>
sealed class RunValues(ImmutableArray<LayerGroup> groups, ValueFormat format, StoreNames names, StoredRecords records, RunShape shape)
{
    /// <summary>The values of any run.</summary>
    public IReadOnlyList<GroupRange> Values { get; } = [.. Enumerable.Range(0, groups.Length)
        .Where(group => group % shape.GroupsPerValue == 0)
        .Select(group => new GroupRange(group, Math.Min(group + shape.GroupsPerValue, groups.Length)))];

    /// <summary>The names of all values of a run.</summary>
    public IEnumerable<string> Names(StoredRun run) => Values.Select(value => Name(run, value.First));

    /// <summary>What of a run is read at once: groups of one value, as many as are worth a request.</summary>
    public IEnumerable<GroupRange> Reads(StoredRun run)
    {
        foreach (GroupRange value in Values)
            for (int first = value.First, end; first < value.End; first = end)
            {
                end = first + 1;
                while (end < value.End && Bytes(run, new GroupRange(first, end)) < shape.LeastRead)
                    end++;
                yield return new GroupRange(first, end);
            }
    }

    /// <summary>Asks for groups of a run, which are in one value.</summary>
    public Task<IMemoryOwner<byte>?> Get(StoredRun run, GroupRange read)
    {
        int start = read.First - read.First % shape.GroupsPerValue;
        return records.Get(Name(run, read.First), Bytes(run, new GroupRange(start, read.First)), (int)Bytes(run, read));
    }

    /// <summary>Opens one of the groups that were asked for, in place, and checks that it is one of the run's.</summary>
    /// <param name="run">The run.</param>
    /// <param name="read">What was asked for.</param>
    /// <param name="group">Which group of it.</param>
    /// <param name="got">What came, which may be anything.</param>
    /// <param name="value">The group's value.</param>
    public ReadOutcome Open(StoredRun run, GroupRange read, int group, Span<byte> got, out ReadOnlySpan<byte> value)
    {
        long start = Bytes(run, read with { End = group });
        long end = group == read.End - 1 ? got.Length : start + Bytes(run, new GroupRange(group, group + 1)); // more is too much, and seen
        Span<byte> closed = got[(int)Math.Min(start, got.Length)..(int)Math.Min(end, got.Length)];
        ReadOutcome outcome = records.Open(names.Group(run, group), closed, out value);
        return outcome == ReadOutcome.Ok ? format.Check(value, group, run.Count) : outcome;
    }

    /// <summary>Bytes of groups of a run in the store.</summary>
    public long Bytes(StoredRun run, GroupRange range)
    {
        long bytes = 0;
        for (int group = range.First; group < range.End; group++)
            bytes += records.Stored(format.Bytes(group, run.Count));
        return bytes;
    }

    /// <summary>Writes a value of a run.</summary>
    /// <param name="run">The run.</param>
    /// <param name="value">Which of its values.</param>
    /// <param name="blocks">Its blocks.</param>
    /// <param name="buffer">Room for <see cref="Bytes"/>, until the task is over.</param>
    /// <param name="life">How long it lives.</param>
    public Task Put(StoredRun run, GroupRange value, BlockWrite[] blocks, Memory<byte> buffer, TimeSpan life)
    {
        int start = 0;
        for (int group = value.First; group < value.End; group++)
        {
            int part = group, bytes = records.Stored(format.Bytes(group, run.Count));
            records.Close(names.Group(run, group), buffer.Span.Slice(start, bytes), (content, _) => format.Write(content, part, blocks));
            start += bytes;
        }
        return records.Put(Name(run, value.First), buffer, life);
    }

    string Name(StoredRun run, int group) => shape.IsOfObjects ? names.Run(run) : names.Group(run, group);
}
