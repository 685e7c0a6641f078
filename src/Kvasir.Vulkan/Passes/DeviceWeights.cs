using Kvasir.Formats;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>A model's matrices in a device's memory.</summary>
sealed class DeviceWeights : IDisposable
{
    readonly Dictionary<PackedMatrix, DeviceMatrix> _matrices = [];

    /// <summary>Brings them there.</summary>
    /// <exception cref="VulkanException">One is of a type for which there is no kernel.</exception>
    /// <exception cref="InsufficientMemoryException">They do not fit.</exception>
    public DeviceWeights(IComputeDevice device, WeightPacking packing, Action<long, long>? done)
    {
        DeviceBuffer? staging = null;
        try
        {
            foreach ((StoredTensor tensor, PackedMatrix matrix) in packing.Matrices)
                Add(device, tensor, matrix);
            packing.HandOver((matrix, firstRow, stored) =>
            {
                DeviceMatrix target = _matrices[matrix];
                long bytes = target.StagingBytes(stored.Length / (int)matrix.Type.RowBytes(matrix.Columns));
                if (staging is null || staging.Bytes < bytes)
                {
                    staging?.Dispose();
                    staging = null;
                    staging = device.Allocate(bytes, isHostVisible: true);
                }
                Recorder recorder = new();
                target.Write(stored, firstRow, staging, recorder);
                device.Run(recorder);
            }, done);
        }
        catch
        {
            Dispose();
            throw;
        }
        finally
        {
            staging?.Dispose();
        }
    }

    public DeviceMatrix this[PackedMatrix matrix] => _matrices[matrix];

    void Add(IComputeDevice device, StoredTensor tensor, PackedMatrix matrix)
    {
        WeightWords words = WeightWords.Of(matrix.Type) ?? throw new VulkanException(
            $"{device.Name}: tensor {Printable.Quote(tensor.Name)} has {matrix.Type.DisplayName()} weights, expected one of "
            + $"{string.Join(", ", WeightWords.All.Select(words => words.Type.DisplayName()))} (--weights q8_0 converts), or the CPU (--device cpu)");
        DeviceMatrix target = new(words, matrix.Rows, matrix.Columns);
        _matrices.Add(matrix, target);
        target.Allocate(device);
    }

    public void Dispose()
    {
        foreach (DeviceMatrix matrix in _matrices.Values)
            matrix.Dispose();
    }
}
