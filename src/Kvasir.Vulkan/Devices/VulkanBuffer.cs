using Kvasir.Vulkan.Recording;
using Silk.NET.Vulkan;
using Buffer = Silk.NET.Vulkan.Buffer;

namespace Kvasir.Vulkan.Devices;

/// <summary>A driver's buffer with memory of its own.</summary>
sealed unsafe class VulkanBuffer : DeviceBuffer
{
    readonly Vk _api;
    readonly Device _device;
    readonly DeviceMemory _memory;

    VulkanBuffer(Vk api, Device device, Buffer handle, DeviceMemory memory, long bytes, nint host) : base(bytes, host) =>
        (_api, _device, Handle, _memory) = (api, device, handle, memory);

    public Buffer Handle { get; }

    /// <exception cref="InsufficientMemoryException">The memory is not to be had.</exception>
    public static VulkanBuffer Allocate(Vk api, Device device, DeviceFacts facts, long bytes, bool isHostVisible)
    {
        BufferCreateInfo info = new(size: (ulong)bytes, sharingMode: SharingMode.Exclusive,
            usage: BufferUsageFlags.StorageBufferBit | BufferUsageFlags.TransferSrcBit | BufferUsageFlags.TransferDstBit);
        VulkanLibrary.Check(api.CreateBuffer(device, in info, null, out Buffer buffer), $"{bytes:N0} bytes");
        DeviceMemory memory = default;
        try
        {
            api.GetBufferMemoryRequirements(device, buffer, out MemoryRequirements needs);
            MemoryAllocateInfo wanted = new(allocationSize: needs.Size,
                memoryTypeIndex: (uint)TypeOf(facts, needs.MemoryTypeBits, isHostVisible));
            VulkanLibrary.Check(api.AllocateMemory(device, in wanted, null, out memory), $"{bytes:N0} bytes");
            VulkanLibrary.Check(api.BindBufferMemory(device, buffer, memory, 0), "a buffer");
            void* host = null;
            if (isHostVisible)
                VulkanLibrary.Check(api.MapMemory(device, memory, 0, Vk.WholeSize, 0, &host), "memory that the processor reaches");
            return new VulkanBuffer(api, device, buffer, memory, bytes, (nint)host);
        }
        catch
        {
            api.DestroyBuffer(device, buffer, null);
            api.FreeMemory(device, memory, null);
            throw;
        }
    }

    /// <summary>The device's own memory, or the host's: such as the processor's caches know, where there is any.</summary>
    static int TypeOf(DeviceFacts facts, uint among, bool isHostVisible)
    {
        const MemoryPropertyFlags Visible = MemoryPropertyFlags.HostVisibleBit | MemoryPropertyFlags.HostCoherentBit;
        MemoryPropertyFlags[] wishes = isHostVisible ? [Visible | MemoryPropertyFlags.HostCachedBit, Visible]
            : [MemoryPropertyFlags.DeviceLocalBit, MemoryPropertyFlags.None];
        int type = wishes.Select(wish => facts.MemoryType(among, wish)).FirstOrDefault(type => type >= 0, -1);
        return type >= 0 ? type : throw new VulkanException($"Vulkan: {facts.Name} has no memory for buffers that the processor reaches");
    }

    public override void Dispose()
    {
        _api.DestroyBuffer(_device, Handle, null);
        _api.FreeMemory(_device, _memory, null);
        base.Dispose();
    }
}
