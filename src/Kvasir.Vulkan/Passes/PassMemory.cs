using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>
/// What a pass holds on the device between its kernels, and what it brings there and back; taken once, for the largest batch and the
/// largest layer. Rows stand close together, each as wide as its layer has it.
/// </summary>
sealed class PassMemory : IDisposable
{
    const int LogitNumbers = 16 << 20; // 64 MiB: with more rows, logits are computed some at a time

    readonly IComputeDevice _device;
    readonly List<DeviceBuffer> _all = [];

    /// <param name="device">The device.</param>
    /// <param name="spec">The model.</param>
    /// <param name="maxTokens">Most rows.</param>
    /// <param name="rotationNumbers">Numbers of a row's rotations, of each kind that the model has.</param>
    /// <param name="tableNumbers">Most blocks of all sequences of a batch.</param>
    /// <param name="tables">Tables that a sequence has: one, or another for windows.</param>
    public PassMemory(IComputeDevice device, ModelSpec spec, int maxTokens, int[] rotationNumbers, long tableNumbers, int tables)
    {
        _device = device;
        LayerWidths widest = LayerWidths.Largest([.. spec.Layers.Select(LayerWidths.Of)]);
        LogitRows = Math.Clamp(LogitNumbers / spec.Vocabulary, 1, maxTokens);
        try
        {
            (Residual, Normed, Projected) = (Rows(spec.Width), Rows(spec.Width), Rows(spec.Width));
            (Queries, Keys, Values, Attended) = (Rows(widest.Queries), Rows(widest.Keys), Rows(widest.Values), Rows(widest.Attended));
            (Gate, Up) = (Rows(widest.Network), Rows(widest.Network));
            Logits = Take((long)LogitRows * spec.Vocabulary, isHostVisible: false);
            Rotations = [.. rotationNumbers.Select(Rows)];
            Places = [.. Enumerable.Range(0, tables).Select(_ => Rows(2))];
            Tables = [.. Enumerable.Range(0, tables).Select(_ => Take(tableNumbers, isHostVisible: false))];
            Upload = Take(maxTokens * (long)(spec.Width + rotationNumbers.Sum() + 2 * tables) + tables * tableNumbers, isHostVisible: true);
            Answers = device.Allocate((long)(spec.Vocabulary + spec.Width) * sizeof(float), isHostVisible: true);
        }
        catch
        {
            Dispose();
            throw;
        }

        DeviceRange Rows(int width) => Take(maxTokens * (long)width, isHostVisible: false);
    }

    public DeviceRange Residual { get; } // [tokens, d]
    public DeviceRange Normed { get; } // [tokens, d]
    public DeviceRange Projected { get; } // [tokens, d]
    public DeviceRange Queries { get; } // [tokens, heads · key dim]
    public DeviceRange Keys { get; } // [tokens, KV heads · key dim]
    public DeviceRange Values { get; } // [tokens, KV heads · value dim]
    public DeviceRange Attended { get; } // [tokens, heads · value dim]
    public DeviceRange Gate { get; } // [tokens, feed-forward]
    public DeviceRange Up { get; } // [tokens, feed-forward]
    public DeviceRange Logits { get; } // [rows at a time, vocabulary]

    /// <summary>Rows of logits at a time.</summary>
    public int LogitRows { get; }

    /// <summary>How rows are rotated: [tokens, 2 · dims], of each kind.</summary>
    public DeviceRange[] Rotations { get; }

    /// <summary>Each row's position, and where its table begins; of full layers, then of windows.</summary>
    public DeviceRange[] Places { get; }

    /// <summary>The blocks of sequences, one after the other; likewise.</summary>
    public DeviceRange[] Tables { get; }

    /// <summary>What goes to the device.</summary>
    public DeviceRange Upload { get; }

    /// <summary>What comes back: [rows, vocabulary], then [rows, d].</summary>
    public DeviceBuffer Answers { get; private set; }

    /// <summary>Makes room for the answers of more rows than any batch before wanted.</summary>
    public void ReserveAnswers(long bytes)
    {
        if (bytes <= Answers.Bytes)
            return;
        DeviceBuffer more = _device.Allocate(bytes, isHostVisible: true);
        Answers.Dispose();
        Answers = more;
    }

    DeviceRange Take(long numbers, bool isHostVisible)
    {
        long bytes = Math.Max(1, numbers) * sizeof(float);
        if (!isHostVisible && bytes > _device.MaxRangeBytes)
            throw new VulkanException($"{_device.Name}: a pass has {bytes:N0} bytes of one kind, expected at most the "
                + $"{_device.MaxRangeBytes:N0} that a kernel reaches: a shorter context (-c), or fewer rows of a pass");
        DeviceBuffer buffer = _device.Allocate(bytes, isHostVisible);
        _all.Add(buffer);
        return buffer.All;
    }

    public void Dispose()
    {
        _all.ForEach(buffer => buffer.Dispose());
        Answers?.Dispose();
    }
}
