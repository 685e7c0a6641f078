using Kvasir.Formats;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>A weight matrix in a device's memory, in parts of whole rows where it is larger than what a kernel reaches at once.</summary>
/// <param name="words">How its rows lie.</param>
/// <param name="rows">Outputs.</param>
/// <param name="columns">Inputs.</param>
sealed class DeviceMatrix(WeightWords words, int rows, int columns) : IDisposable
{
    /// <summary>Groups that every device can be asked for in one dimension.</summary>
    public const int MostGroups = 65535;

    /// <summary>Outputs of a group.</summary>
    public const int RowsOfGroup = 4;

    const int Word = sizeof(uint);

    readonly List<Part> _parts = [];

    /// <summary>Some rows.</summary>
    public sealed record Part(int First, int Rows, DeviceBuffer Buffer);

    public WeightWords Words => words;

    public int Rows => rows;

    public int Columns => columns;

    public IReadOnlyList<Part> Parts => _parts;

    /// <summary>Words of a row, and of its scales that lie apart.</summary>
    public int WordsPerRow { get; } = words.WordsPerRow(columns);

    public int ScalesPerRow { get; } = words.ScalesPerRow(columns);

    /// <summary>Takes memory for it.</summary>
    /// <exception cref="InsufficientMemoryException">It is not to be had.</exception>
    public void Allocate(IComputeDevice device)
    {
        long rowBytes = (WordsPerRow + ScalesPerRow) * (long)Word;
        int most = (int)Math.Min(MostGroups * RowsOfGroup, device.MaxRangeBytes / rowBytes);
        if (most < 1)
            throw new VulkanException($"{device.Name}: a row of {rowBytes:N0} bytes, expected at most the {device.MaxRangeBytes:N0} that it reaches");
        for (int first = 0; first < rows; first += most)
            _parts.Add(new Part(first, Math.Min(most, rows - first), device.Allocate(Math.Min(most, rows - first) * rowBytes)));
    }

    /// <summary>Where a part's scales begin, in words.</summary>
    public int ScalesAt(Part part) => checked(part.Rows * WordsPerRow);

    /// <summary>Packs consecutive rows into memory that the processor reaches, and writes down how they get to their places.</summary>
    /// <param name="stored">The rows, as they are stored.</param>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="staging">Memory for <see cref="StagingBytes"/> of them.</param>
    /// <param name="recorder">What the device is told.</param>
    public void Write(ReadOnlySpan<byte> stored, int firstRow, DeviceBuffer staging, Recorder recorder)
    {
        int rowBytes = (int)words.Type.RowBytes(columns), count = stored.Length / rowBytes, next = 0;
        foreach (Part part in _parts)
        {
            int from = Math.Max(firstRow, part.First), to = Math.Min(firstRow + count, part.First + part.Rows);
            if (from >= to)
                continue;
            int scales = next + (to - from) * WordsPerRow, end = scales + (to - from) * ScalesPerRow;
            Span<uint> packed = staging.Span<uint>(0, end);
            for (int row = from; row < to; row++)
                words.Pack(stored.Slice((row - firstRow) * rowBytes, rowBytes),
                    packed.Slice(next + (row - from) * WordsPerRow, WordsPerRow),
                    packed.Slice(scales + (row - from) * ScalesPerRow, ScalesPerRow));
            Copy(next, scales - next, part.Buffer, (from - part.First) * (long)WordsPerRow);
            if (end > scales)
                Copy(scales, end - scales, part.Buffer, ScalesAt(part) + (from - part.First) * (long)ScalesPerRow);
            next = end;
        }

        void Copy(int source, int count, DeviceBuffer target, long at) =>
            recorder.Copy(staging.All.Part((long)source * Word, (long)count * Word), target.All.Part(at * Word, (long)count * Word));
    }

    /// <summary>Bytes that so many rows take on their way.</summary>
    public long StagingBytes(int count) => count * (WordsPerRow + ScalesPerRow) * (long)Word;

    public void Dispose()
    {
        foreach (Part part in _parts)
            part.Buffer.Dispose();
    }
}
