using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>
/// The pool's memory on a device. To everybody else a block is one run of bytes; here each layer's part of all blocks is a buffer of its
/// own, since a kernel reaches only so much through one binding: so a pool may be as many times larger as the model has layers. An address
/// is a block's number, counted from one.
/// </summary>
sealed unsafe class VulkanArena : IBlockArena
{
    readonly object _gate = new();
    readonly IComputeDevice _device;
    readonly KvLayout _layout;
    readonly Slice[] _slices;
    readonly DeviceBuffer _staging;
    bool _disposed;

    /// <summary>A layer's part of all blocks: where it begins in a block, and how long it is there.</summary>
    readonly record struct Slice(int Layer, long Start, long Bytes, DeviceBuffer Buffer);

    /// <param name="device">The device.</param>
    /// <param name="layout">Shape of a block.</param>
    /// <param name="blocks">How many.</param>
    /// <exception cref="InsufficientMemoryException">The memory is not to be had; the message says how much was asked for.</exception>
    public VulkanArena(IComputeDevice device, KvLayout layout, int blocks)
    {
        (_device, _layout, Blocks) = (device, layout, blocks);
        int[] owners = [.. Enumerable.Range(0, layout.Layers.Length)
            .Where(layer => layout.Holds(layer) && layout.Layers[layer].Producer == layer)];
        List<DeviceBuffer> taken = [];
        try
        {
            _staging = Take(layout.StrideBytes, isHostVisible: true);
            _slices = [.. owners.Select((layer, i) =>
            {
                long start = layout.KeyOffset(layer, 0);
                long bytes = (i + 1 < owners.Length ? layout.KeyOffset(owners[i + 1], 0) : layout.BlockBytes) - start;
                return new Slice(layer, start, bytes, Take(bytes * blocks, isHostVisible: false));
            })];
        }
        catch (InsufficientMemoryException e)
        {
            taken.ForEach(buffer => buffer.Dispose());
            double gib = layout.BlockBytes * (double)blocks / (1L << 30);
            throw new InsufficientMemoryException($"{device.Name}: no memory for a pool of {blocks:N0} blocks of {layout.BlockBytes:N0} bytes "
                + $"({gib:0.0} GiB), expected a shorter context (-c), or a smaller pool (--kv-device)", e);
        }

        DeviceBuffer Take(long bytes, bool isHostVisible)
        {
            if (bytes > device.MaxRangeBytes)
                throw new InsufficientMemoryException($"a layer's {bytes:N0} bytes are more than the {device.MaxRangeBytes:N0} that a kernel reaches");
            DeviceBuffer buffer = device.Allocate(bytes, isHostVisible);
            taken.Add(buffer);
            return buffer;
        }
    }

    /// <inheritdoc/>
    public int Blocks { get; }

    /// <inheritdoc/>
    public bool IsHostMemory => false;

    /// <inheritdoc/>
    public byte* Address(BlockId block)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)block.Index, (uint)Blocks);
        return (byte*)(block.Index + 1L);
    }

    /// <summary>The number of a block that an address stands for; negative where there is none.</summary>
    public static int BlockAt(byte* address) => (int)(long)address - 1;

    /// <summary>A layer's part of all blocks.</summary>
    public DeviceRange Layer(int layer) => SliceOf(layer).Buffer.All;

    /// <summary>Words of a layer's part of a block, and of those before its values.</summary>
    public (int Words, int ValuesAt) WordsOf(int layer) => ((int)(SliceOf(layer).Bytes / sizeof(uint)),
        (int)((_layout.ValueOffset(layer, 0) - _layout.KeyOffset(layer, 0)) / sizeof(uint)));

    /// <inheritdoc/>
    public void Copy(BlockId source, BlockId target, long offset, long bytes)
    {
        Recorder recorder = new();
        foreach ((Slice slice, long from, long length) in Parts(offset, bytes))
            recorder.Copy(Part(slice, source, from, length), Part(slice, target, from, length));
        lock (_gate)
            _device.Run(recorder);
    }

    /// <inheritdoc/>
    public void Read(BlockId source, long offset, byte* destination, long bytes)
    {
        Recorder recorder = new();
        foreach ((Slice slice, long from, long length) in Parts(offset, bytes))
            recorder.Copy(Part(slice, source, from, length), _staging.All.Part(from - offset, length));
        lock (_gate)
        {
            _staging.Span<byte>(0, (int)bytes).Clear(); // what no layer has
            _device.Run(recorder);
            _staging.Span<byte>(0, (int)bytes).CopyTo(new Span<byte>(destination, (int)bytes));
        }
    }

    /// <inheritdoc/>
    public void Write(BlockId target, long offset, byte* source, long bytes)
    {
        Recorder recorder = new();
        foreach ((Slice slice, long from, long length) in Parts(offset, bytes))
            recorder.Copy(_staging.All.Part(from - offset, length), Part(slice, target, from, length));
        lock (_gate)
        {
            new Span<byte>(source, (int)bytes).CopyTo(_staging.Span<byte>(0, (int)bytes));
            _device.Run(recorder);
        }
    }

    /// <inheritdoc/>
    public void Clear(BlockId block, long offset, long bytes)
    {
        Recorder recorder = new();
        foreach ((Slice slice, long from, long length) in Parts(offset, bytes))
            recorder.Clear(Part(slice, block, from, length));
        lock (_gate)
            _device.Run(recorder);
    }

    Slice SliceOf(int layer) => Array.Find(_slices, slice => slice.Layer == _layout.Layers[layer].Producer);

    static DeviceRange Part(Slice slice, BlockId block, long offset, long bytes) =>
        slice.Buffer.All.Part(block.Index * slice.Bytes + offset - slice.Start, bytes);

    IEnumerable<(Slice Slice, long Offset, long Bytes)> Parts(long offset, long bytes)
    {
        foreach (Slice slice in _slices)
        {
            long from = Math.Max(offset, slice.Start), to = Math.Min(offset + bytes, slice.Start + slice.Bytes);
            if (from < to)
                yield return (slice, from, to - from);
        }
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (Slice slice in _slices)
            slice.Buffer.Dispose();
        _staging.Dispose();
    }
}
