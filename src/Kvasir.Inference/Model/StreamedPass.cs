using Kvasir.Inference.Kernels;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Model;

/// <summary>
/// Brings what a pass attends to from the disk, layer by layer and part by part: each block once for all rows, while the part before it, or
/// the layer before, is computed. Parts are as many stretches as the ring has room for. Rows that read only some pages need no parts, once
/// it is known between which bounds the keys lie.
/// </summary>
sealed unsafe class StreamedPass(StreamedBlocks streamed, StreamRing ring, StreamFile file, KvLayout layout)
{
    const int Stretch = AttentionInput.Stretch;

    readonly record struct Needed(int Stretch, BlockTable Table, int Block, int Slot);

    readonly record struct Turn(int Layer, int Part);

    sealed class Part
    {
        public int First { get; set; }
        public List<int> Slots { get; } = [];
        public List<(BlockTable Table, int Block, int Index)> Places { get; } = [];
    }

    readonly List<Needed> _needed = [];
    readonly List<Part> _parts = []; // some of them of earlier passes
    readonly List<Turn> _turns = [];
    readonly Dictionary<int, int> _indices = []; // by slot, in the last part
    int _count, _next;
    bool _hasPages;
    StreamedPages? _pages; // once a row wants it

    /// <summary>Sequences with blocks on the disk that a pass may have: each brings a whole stretch at a time.</summary>
    public int MostSequences => ring.Capacity / BlocksPerStretch(layout);

    /// <summary>Whether it has parts.</summary>
    public bool HasParts => _count > 0;

    /// <summary>Brings pages of sequences whose rows read only some; null when they have none on the disk.</summary>
    public StreamedPages? Pages => _hasPages ? _pages ??= new StreamedPages(streamed.PageRing!, file, layout) : null;

    /// <summary>Slots that did not come as they were written, when <see cref="TryNext"/>, or who brings pages, has said so.</summary>
    public IReadOnlyList<int> Failed { get => _failed.Count > 0 ? _failed : Pages?.Failed ?? []; private set => _failed = value; }

    IReadOnlyList<int> _failed = [];

    /// <summary>Blocks that a stretch may touch.</summary>
    public static int BlocksPerStretch(KvLayout layout) => layout.BlocksFor(Stretch) + 1;

    /// <summary>Begins a pass; false when its rows attend to nothing that lies on the disk.</summary>
    public bool TryBegin(Batch batch)
    {
        End();
        Collect(batch);
        if (_needed.Count == 0 && !_hasPages)
            return false;
        MakeParts();
        _turns.Clear();
        Pages?.Failed.Clear();
        for (int layer = 0; layer < layout.Layers.Length; layer++)
            for (int part = FirstPart(batch, layer); layout.Holds(layer) && part < _count; part++)
                _turns.Add(new Turn(layer, part));
        (_next, Failed) = (0, []);
        if (HasParts)
            Bring(0);
        return true;
    }

    /// <summary>
    /// Waits for the next part of a layer and begins to bring the one after it; false when blocks of it did not come.
    /// </summary>
    public bool TryNext(int layer, out StretchPart part)
    {
        (Turn turn, int half) = (_turns[_next], _next % 2);
        part = PartOf(layer, turn.Part);
        if (ring.Wait(half) is { Count: > 0 } failed)
        {
            Failed = [.. failed];
            End();
            return false;
        }
        if (++_next < _turns.Count)
            Bring(_next);
        foreach ((BlockTable table, int block, int index) in _parts[turn.Part].Places)
            table.Place(block, ring.Address(half, index));
        return true;
    }

    /// <summary>Nothing is read any more.</summary>
    public void End()
    {
        ring.Wait(0);
        ring.Wait(1);
    }

    StretchPart PartOf(int layer, int part)
    {
        bool begins = _next == 0 || _turns[_next - 1].Layer != layer, ends = part == _count - 1;
        return new StretchPart(begins ? int.MinValue : _parts[part].First, ends ? int.MaxValue : _parts[part + 1].First - 1, begins, ends);
    }

    void Bring(int turn) => ring.Begin(turn % 2, _turns[turn].Layer, _parts[_turns[turn].Part].Slots);

    /// <summary>What rows attend to on the disk, by stretches.</summary>
    void Collect(Batch batch)
    {
        _needed.Clear();
        _hasPages = false;
        foreach (RowRun run in batch.PagedRuns)
            _hasPages |= IsOnDisk(run.Table, 0);
        BlockTable? last = null;
        bool sorted = true;
        foreach (RowRun run in batch.Runs)
        {
            if (run.Table == last || ReadsByPages(run.Table, batch))
                continue;
            sorted &= _needed.Count == 0;
            Collect(last = run.Table);
        }
        if (!sorted)
            _needed.Sort(static (a, b) => a.Stretch.CompareTo(b.Stretch));
    }

    /// <summary>Whether no row of a sequence reads everything.</summary>
    bool ReadsByPages(BlockTable table, Batch batch)
    {
        foreach (RowRun whole in batch.WholeRuns)
            if (whole.Table == table)
                return false;
        return IsBounded(table);
    }

    /// <summary>Whether it is known between which bounds the keys lie that are on the disk.</summary>
    bool IsBounded(BlockTable table) =>
        !IsOnDisk(table, table.Pages!.Bounds.LeastBounded * PageBounds.GroupTokens / layout.BlockTokens);

    bool IsOnDisk(BlockTable table, int from)
    {
        for (int block = from; block < table.Count; block++)
            if (table[block].IsOf(file))
                return true;
        return false;
    }

    void Collect(BlockTable table)
    {
        int before = table.Start / Stretch;
        for (int block = 0; block < table.Count; block++)
        {
            if (!table[block].IsOf(file))
                continue;
            int start = table.Start + block * layout.BlockTokens, end = start + layout.BlockTokens - 1;
            for (int stretch = start / Stretch; stretch <= end / Stretch; stretch++)
                _needed.Add(new Needed(stretch - before, table, block, table[block].Id.Index));
        }
    }

    void MakeParts()
    {
        _count = 0;
        for (int first = 0, end; first < _needed.Count; first = end)
        {
            int most = 0;
            for (end = first; end < _needed.Count && _needed[end].Stretch == _needed[first].Stretch; end++)
                most += _count > 0 && _indices.ContainsKey(_needed[end].Slot) ? 0 : 1;
            if (_count == 0 || _indices.Count + most > ring.Capacity)
                NewPart(_needed[first].Stretch);
            for (int i = first; i < end; i++)
                Add(_parts[_count - 1], _needed[i]);
        }
    }

    void NewPart(int stretch)
    {
        if (_count == _parts.Count)
            _parts.Add(new Part());
        Part part = _parts[_count++];
        part.First = stretch;
        part.Slots.Clear();
        part.Places.Clear();
        _indices.Clear();
    }

    void Add(Part part, Needed needed)
    {
        if (!_indices.TryGetValue(needed.Slot, out int index))
        {
            _indices[needed.Slot] = index = part.Slots.Count;
            part.Slots.Add(needed.Slot);
        }
        part.Places.Add((needed.Table, needed.Block, index));
    }

    /// <summary>The first part of which a row sees anything in a layer: windows do not reach all of them.</summary>
    int FirstPart(Batch batch, int layer)
    {
        if (layout.Layers[layer].State is not LayerState.Window window)
            return 0;
        int first = int.MaxValue;
        foreach (RowRun run in batch.Runs)
            first = Math.Min(first, Math.Max(run.Table.Start, batch.Positions[run.FirstRow] - window.Tokens + 1) / Stretch
                - run.Table.Start / Stretch);
        int part = _count - 1;
        while (part > 0 && _parts[part].First > first)
            part--;
        return part;
    }
}
