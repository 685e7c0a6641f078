using System.Runtime.InteropServices;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>A device that does nothing, and keeps what it was told last: a forward pass can be looked at without a driver.</summary>
sealed class RecordingDevice : IComputeDevice
{
    public string Name => "recording";

    public long MaxRangeBytes { get; init; } = 1 << 27;

    public int RangeAlignment => 256;

    /// <summary>What it was told last.</summary>
    public IReadOnlyList<Command> Last { get; private set; } = [];

    public DeviceBuffer Allocate(long bytes, bool isHostVisible) => isHostVisible ? new HostBuffer(bytes) : new DeviceBuffer(bytes, 0);

    public void Run(Recorder recorder) => Last = recorder.Finish();

    public void Dispose() { }
}

/// <summary>Memory that the processor reaches, zeroed.</summary>
sealed unsafe class HostBuffer : DeviceBuffer
{
    readonly nint _memory;

    public HostBuffer(long bytes) : this(bytes, (nint)NativeMemory.AllocZeroed((nuint)bytes)) { }

    HostBuffer(long bytes, nint memory) : base(bytes, memory) => _memory = memory;

    public override void Dispose()
    {
        NativeMemory.Free((void*)_memory);
        base.Dispose();
    }
}
