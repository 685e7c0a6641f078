using System.Security.Cryptography;
using System.Text;
using Kvasir.Formats;
using Silk.NET.Core;
using Silk.NET.Vulkan;

namespace Kvasir.Vulkan.Devices;

/// <summary>What a device says of itself.</summary>
sealed unsafe class DeviceFacts
{
    const int LeastSharedBytes = 8 << 10;

    readonly PhysicalDeviceProperties _properties;
    readonly PhysicalDeviceMemoryProperties _memory;

    public DeviceFacts(VulkanLibrary vulkan, PhysicalDevice device, int index)
    {
        (Device, Index) = (device, index);
        vulkan.Api.GetPhysicalDeviceProperties(device, out _properties);
        vulkan.Api.GetPhysicalDeviceMemoryProperties(device, out _memory);
        uint count = 0;
        vulkan.Api.GetPhysicalDeviceQueueFamilyProperties(device, &count, null);
        QueueFamilyProperties[] families = new QueueFamilyProperties[count];
        fixed (QueueFamilyProperties* first = families)
            vulkan.Api.GetPhysicalDeviceQueueFamilyProperties(device, &count, first);
        Family = Array.FindIndex(families, family => family.QueueFlags.HasFlag(QueueFlags.ComputeBit));
        fixed (byte* name = _properties.DeviceName)
            Name = Printable.Line(SpanText(name, 256));
        fixed (byte* id = _properties.PipelineCacheUuid)
            CacheId = Convert.ToHexStringLower(new ReadOnlySpan<byte>(id, 16));
    }

    public PhysicalDevice Device { get; }

    public int Index { get; }

    public string Name { get; }

    /// <summary>What compiled shaders belong to: another driver, or another build of it, has another.</summary>
    public string CacheId { get; }

    /// <summary>The first family of queues that computes; negative without one.</summary>
    public int Family { get; }

    public PhysicalDeviceLimits Limits => _properties.Limits;

    public PhysicalDeviceType Type => _properties.DeviceType;

    /// <summary>What, of a device and its driver, may change a bit of what is computed.</summary>
    public string Identity =>
        $"{_properties.VendorID:x}:{_properties.DeviceID:x} {Name} {_properties.DriverVersion:x} {CacheId}";

    /// <summary>The first kind of memory among some that has all of these properties; negative when there is none.</summary>
    public int MemoryType(uint among, MemoryPropertyFlags wanted)
    {
        for (int i = 0; i < _memory.MemoryTypeCount; i++)
            if ((among & 1u << i) != 0 && _memory.MemoryTypes[i].PropertyFlags.HasFlag(wanted))
                return i;
        return -1;
    }

    public VulkanDeviceInfo Describe() => new(Index, Name, Kind(Type), MemoryBytes(), Version(_properties.ApiVersion),
        $"{_properties.DriverVersion:x}", Limits.MaxStorageBufferRange, Problem());

    static string Kind(PhysicalDeviceType type) => type switch
    {
        PhysicalDeviceType.DiscreteGpu => "discrete",
        PhysicalDeviceType.IntegratedGpu => "integrated",
        PhysicalDeviceType.VirtualGpu => "virtual",
        PhysicalDeviceType.Cpu => "cpu",
        _ => "other",
    };

    long MemoryBytes()
    {
        ulong own = 0, any = 0;
        for (int i = 0; i < _memory.MemoryHeapCount; i++)
        {
            any = Math.Max(any, _memory.MemoryHeaps[i].Size);
            if (_memory.MemoryHeaps[i].Flags.HasFlag(MemoryHeapFlags.DeviceLocalBit))
                own = Math.Max(own, _memory.MemoryHeaps[i].Size);
        }
        return (long)(own > 0 ? own : any);
    }

    string? Problem() =>
        Family < 0 ? "has no queue that computes, expected one"
        : _properties.ApiVersion < Vk.Version11 ? $"speaks Vulkan {Version(_properties.ApiVersion)}, expected 1.1 or later"
        : Limits.MaxComputeSharedMemorySize < LeastSharedBytes
            ? $"shares {Limits.MaxComputeSharedMemorySize} bytes in a group, expected at least {LeastSharedBytes}"
        : Limits.MaxComputeWorkGroupInvocations < Recording.Kernel.Lanes
            ? $"has groups of {Limits.MaxComputeWorkGroupInvocations}, expected at least {Recording.Kernel.Lanes}"
        : MemoryType(uint.MaxValue, MemoryPropertyFlags.HostVisibleBit | MemoryPropertyFlags.HostCoherentBit) < 0
            ? "has no memory that the processor reaches, expected some"
        : null;

    static string Version(uint version) => $"{version >> 22 & 0x7F}.{version >> 12 & 0x3FF}.{version & 0xFFF}";

    static string SpanText(byte* text, int most)
    {
        ReadOnlySpan<byte> bytes = new(text, most);
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
