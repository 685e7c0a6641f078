using Kvasir.Inference.Kernels.Panels;
using Kvasir.Inference.Model;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>A model's norms and biases in a device's memory, all in one buffer.</summary>
sealed class DeviceVectors : IDisposable
{
    readonly Dictionary<FloatRows, DeviceRange> _vectors = [];
    readonly DeviceBuffer _buffer;

    /// <exception cref="InsufficientMemoryException">They do not fit.</exception>
    public DeviceVectors(IComputeDevice device, ModelWeights weights)
    {
        FloatRows[] vectors = [.. weights.Layers.SelectMany(Of).OfType<FloatRows>().Append(weights.OutputNorm).Distinct()];
        long Stride(FloatRows vector) =>
            ((long)vector.Width * sizeof(float) + device.RangeAlignment - 1) / device.RangeAlignment * device.RangeAlignment;
        long bytes = vectors.Sum(Stride), offset = 0;
        _buffer = device.Allocate(bytes);
        using DeviceBuffer staging = device.Allocate(bytes, isHostVisible: true);
        foreach (FloatRows vector in vectors)
        {
            vector.Span(0).CopyTo(staging.Span<float>(offset, vector.Width));
            _vectors.Add(vector, _buffer.All.Part(offset, (long)vector.Width * sizeof(float)));
            offset += Stride(vector);
        }
        Recorder recorder = new();
        recorder.Copy(staging.All, _buffer.All);
        device.Run(recorder);
    }

    public DeviceRange this[FloatRows vector] => _vectors[vector];

    static IEnumerable<FloatRows?> Of(LayerWeights w) =>
    [
        w.AttentionNorm, w.QBias, w.KBias, w.VBias, w.AttentionOutputBias, w.QNorm, w.KNorm, w.PostAttentionNorm, w.FeedForwardNorm,
        w.GateBias, w.UpBias, w.DownBias, w.PostFeedForwardNorm,
    ];

    public void Dispose() => _buffer.Dispose();
}
