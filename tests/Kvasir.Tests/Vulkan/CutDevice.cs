using Kvasir.Vulkan;
using Kvasir.Vulkan.Devices;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>The first device, of which kernels reach only so much at once: large matrices are in parts there.</summary>
sealed class CutDevice(IComputeDevice device, long maxRangeBytes) : IComputeDevice
{
    public string Name => device.Name;

    public long MaxRangeBytes => maxRangeBytes;

    public int RangeAlignment => device.RangeAlignment;

    public static VulkanBackend Open(long maxRangeBytes)
    {
        VulkanLibrary vulkan = VulkanLibrary.Open();
        DeviceFacts facts = new(vulkan, vulkan.Devices()[0], 0);
        return new VulkanBackend(new CutDevice(new VulkanDevice(vulkan, facts, "cut", null), maxRangeBytes), facts.Identity);
    }

    public DeviceBuffer Allocate(long bytes, bool isHostVisible) => device.Allocate(bytes, isHostVisible);

    public void Run(Recorder recorder) => device.Run(recorder);

    public void Dispose() => device.Dispose();
}
