using System.Diagnostics;
using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Streaming;

/// <summary>
/// Two parts of memory through which a layer's keys and values come from the disk: one is read by attention while the other is filled.
/// <see cref="Begin"/> and <see cref="Wait"/> belong to one thread.
/// </summary>
sealed unsafe class StreamRing : IDisposable
{
    const int FewReaders = 4;

    readonly object _gate = new();
    readonly StreamFile _file;
    readonly int _readers;
    readonly NativeBuffer _memory;
    readonly Part[] _parts = [new(), new()];
    readonly List<Thread> _threads = [];
    long _readingSince;
    bool _stopping;

    internal StreamRing(StreamFile file, int capacity, int readers = FewReaders)
    {
        (_file, Capacity, _readers) = (file, capacity, readers);
        _memory = new NativeBuffer(checked(2 * capacity * file.Slices.LargestStride));
    }

    /// <summary>Blocks of a part.</summary>
    public int Capacity { get; }

    /// <summary>Bytes that were read.</summary>
    public long BytesRead { get; private set; }

    /// <summary>How long something was being read.</summary>
    public TimeSpan ReadTime { get; private set; }

    /// <summary>How long <see cref="Wait"/> has waited.</summary>
    public TimeSpan Waited { get; private set; }

    bool IsReading => _parts[0].Left > 0 || _parts[1].Left > 0;

    /// <summary>Begins to read a layer of blocks into a part that nobody reads any more.</summary>
    /// <param name="part">0 or 1.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="slots">The blocks' slots in the file; at most <see cref="Capacity"/>.</param>
    public void Begin(int part, int layer, IReadOnlyList<int> slots)
    {
        ArgumentNullException.ThrowIfNull(slots);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slots.Count, Capacity);
        lock (_gate)
        {
            Part to = _parts[part];
            if (slots.Count > 0 && !IsReading)
                _readingSince = Stopwatch.GetTimestamp();
            to.Begin(layer, slots);
            BytesRead += (long)slots.Count * _file.Slices[layer].Bytes;
            while (_threads.Count < _readers && to.Runs.Count > _threads.Count)
                StartThread();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until a part is there; returns the slots that did not come as they were written.</summary>
    public IReadOnlyList<int> Wait(int part)
    {
        long start = Stopwatch.GetTimestamp();
        lock (_gate)
            while (_parts[part].Left > 0)
                Monitor.Wait(_gate);
        Waited += Stopwatch.GetElapsedTime(start);
        return _parts[part].Failed;
    }

    /// <summary>
    /// Where a block would begin whose layer lies in a part: only that layer may be looked at.
    /// </summary>
    /// <param name="part">Which part.</param>
    /// <param name="index">Which of the slots that it was begun with.</param>
    public byte* Address(int part, int index) =>
        PieceOf(part, index) - _file.Slices[_parts[part].Layer].Offset;

    byte* PieceOf(int part, int index) => _memory.Address + (long)part * Capacity * _file.Slices.LargestStride
        + (long)index * _file.Slices[_parts[part].Layer].Stride;

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }
        foreach (Thread thread in _threads)
            thread.Join();
        _memory.Dispose();
    }

    void StartThread()
    {
        var thread = new Thread(Work) { IsBackground = true, Name = $"kvasir stream {_threads.Count}" };
        _threads.Add(thread);
        thread.Start();
    }

    void Work()
    {
        while (Next() is var (part, run))
        {
            Read(_parts[part], part, run);
            lock (_gate)
                if (--_parts[part].Left == 0)
                {
                    if (!IsReading)
                        ReadTime += Stopwatch.GetElapsedTime(_readingSince);
                    Monitor.PulseAll(_gate);
                }
        }
    }

    /// <summary>Where a slot does not come, those after it are read all the same: no more is lost than is.</summary>
    void Read(Part to, int part, (int First, int Count) run)
    {
        int end = run.First + run.Count;
        for (int i = run.First; i < end; i++)
        {
            i += _file.Read(to.Layer, to.Slots[i], end - i, PieceOf(part, i));
            if (i < end)
                lock (_gate)
                    to.Failed.Add(to.Slots[i]);
        }
    }

    /// <summary>The next run of slots to be read, of the part that was begun first; null at the end.</summary>
    (int Part, (int First, int Count) Run)? Next()
    {
        lock (_gate)
            while (true)
            {
                if (_stopping)
                    return null;
                int part = _parts[0].HasWork && (!_parts[1].HasWork || _parts[0].Begun < _parts[1].Begun) ? 0 : 1;
                if (_parts[part].HasWork)
                    return (part, _parts[part].Take());
                Monitor.Wait(_gate);
            }
    }

    sealed class Part
    {
        int _next;

        public int Layer { get; private set; }
        public long Begun { get; private set; }
        public int Left { get; set; }
        public List<int> Slots { get; } = [];
        public List<int> Failed { get; } = [];
        public List<(int First, int Count)> Runs { get; } = []; // indices of consecutive slots

        public bool HasWork => _next < Runs.Count;

        public (int First, int Count) Take() => Runs[_next++];

        public void Begin(int layer, IReadOnlyList<int> slots)
        {
            (Layer, Begun, _next) = (layer, Stopwatch.GetTimestamp(), 0);
            Slots.Clear();
            Failed.Clear();
            Runs.Clear();
            for (int i = 0; i < slots.Count; i++)
            {
                Slots.Add(slots[i]);
                if (Runs is [.., var last] && last.Count < StreamFile.MostAtOnce && slots[i] == slots[i - 1] + 1)
                    Runs[^1] = last with { Count = last.Count + 1 };
                else
                    Runs.Add((i, 1));
            }
            Left = Runs.Count;
        }
    }
}
