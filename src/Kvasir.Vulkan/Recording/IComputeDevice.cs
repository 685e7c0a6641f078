namespace Kvasir.Vulkan.Recording;

/// <summary>What has memory and does what is written down. Thread-safe.</summary>
interface IComputeDevice : IDisposable
{
    /// <summary>Its name in messages.</summary>
    string Name { get; }

    /// <summary>Most bytes that a kernel reaches through one binding.</summary>
    long MaxRangeBytes { get; }

    /// <summary>What a binding's offset has to be a multiple of.</summary>
    int RangeAlignment { get; }

    /// <summary>Takes memory.</summary>
    /// <param name="bytes">How much.</param>
    /// <param name="isHostVisible">Whether the processor has to reach it.</param>
    /// <exception cref="InsufficientMemoryException">It is not to be had.</exception>
    DeviceBuffer Allocate(long bytes, bool isHostVisible = false);

    /// <summary>Has it done, and returns when it is.</summary>
    /// <exception cref="IOException">The device is lost.</exception>
    void Run(Recorder recorder);
}
