using System.Runtime.InteropServices;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>
/// Brings a batch to the device: embeddings, rotations, positions, and which blocks its sequences have. Embeddings stay where the model has
/// them, and angles are computed here, in double precision: what a device would make of them is its own affair.
/// </summary>
sealed unsafe class PassInput(PassMemory memory, EmbeddingTable embedding, int width, float? scale, RotaryTables ropes, RopeTable[] tables)
{
    readonly Dictionary<BlockTable, int> _starts = [];
    Recorder _recorder = null!;
    int _next; // number in the upload

    /// <summary>Writes it to memory that both reach, and writes down how it gets to its place.</summary>
    public void Add(Batch batch, Recorder recorder)
    {
        (_recorder, _next) = (recorder, 0);
        for (int row = 0; row < batch.Count; row++)
            ropes.Place(row, batch.Positions[row]);
        Embed(batch);
        for (int i = 0; i < tables.Length; i++)
            Rotations(tables[i], memory.Rotations[i], batch.Count);
        for (int kind = 0; kind < memory.Places.Length; kind++)
            Places(batch, kind == 0 ? batch.Runs : batch.WindowRuns, kind);
    }

    void Embed(Batch batch)
    {
        Span<float> rows = Take<float>(batch.Count * width, memory.Residual);
        for (int row = 0; row < batch.Count; row++)
        {
            Span<float> x = rows.Slice(row * width, width);
            embedding.Row(batch.Tokens[row], x);
            for (int i = 0; i < x.Length && scale is { } factor; i++)
                x[i] *= factor;
        }
    }

    void Rotations(RopeTable table, DeviceRange target, int count)
    {
        int numbers = 2 * table.Dims;
        Span<float> rows = Take<float>(count * numbers, target);
        for (int row = 0; row < count; row++)
            new Span<float>(table[row], numbers).CopyTo(rows.Slice(row * numbers, numbers));
    }

    /// <summary>Sequences whose rows are in several runs have one table.</summary>
    void Places(Batch batch, List<RowRun> runs, int kind)
    {
        _starts.Clear();
        int blocks = 0;
        foreach (RowRun run in runs)
            if (_starts.TryAdd(run.Table, blocks))
                blocks += run.Table.Count;
        Span<uint> places = Take<uint>(2 * batch.Count, memory.Places[kind]);
        foreach (RowRun run in runs)
            for (int row = run.FirstRow; row < run.FirstRow + run.Rows; row++)
                (places[2 * row], places[2 * row + 1]) = ((uint)batch.Positions[row], (uint)_starts[run.Table]);
        Span<uint> table = Take<uint>(blocks, memory.Tables[kind]);
        foreach ((BlockTable of, int start) in _starts)
            for (int block = 0; block < of.Count; block++)
                table[start + block] = (uint)Math.Max(0, VulkanArena.BlockAt(of.Address(block))); // nobody reads one that is not there
    }

    /// <summary>Room for numbers that the device finds in a place of its own.</summary>
    Span<T> Take<T>(int count, DeviceRange target) where T : unmanaged
    {
        long first = (long)_next * sizeof(uint), bytes = (long)count * sizeof(uint);
        _next += count;
        _recorder.Copy(memory.Upload.Part(first, bytes), target.Part(0, bytes));
        return MemoryMarshal.Cast<uint, T>(memory.Upload.Buffer.Span<uint>(first, count));
    }
}
