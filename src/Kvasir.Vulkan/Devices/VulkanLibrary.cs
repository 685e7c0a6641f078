using System.Runtime.InteropServices;
using Silk.NET.Vulkan;

namespace Kvasir.Vulkan.Devices;

/// <summary>The system's Vulkan: its loader, and an instance of it. Loaded when somebody asks for a device, and not before.</summary>
sealed unsafe class VulkanLibrary : IDisposable
{
    static readonly Silk.NET.Core.Version32 s_wanted = Vk.Version11;

    VulkanLibrary(Vk api, Instance instance) => (Api, Instance) = (api, instance);

    public Vk Api { get; }

    public Instance Instance { get; }

    /// <summary>Opens it.</summary>
    /// <exception cref="VulkanException">There is none, or it has no driver.</exception>
    public static VulkanLibrary Open()
    {
        Vk api;
        try
        {
            api = Vk.GetApi();
        }
        catch (Exception e) when (e is FileNotFoundException or DllNotFoundException or EntryPointNotFoundException)
        {
            throw new VulkanException("Vulkan: its loader was not found (libvulkan.so.1, vulkan-1.dll), expected one installed, as drivers of GPUs "
                + "bring it, or packages such as libvulkan1", e);
        }
        try
        {
            return new VulkanLibrary(api, NewInstance(api));
        }
        catch
        {
            api.Dispose();
            throw;
        }
    }

    static Instance NewInstance(Vk api)
    {
        ApplicationInfo application = new(apiVersion: s_wanted);
        InstanceCreateInfo info = new(pApplicationInfo: &application);
        byte* validation = (byte*)Marshal.StringToCoTaskMemUTF8("VK_LAYER_KHRONOS_validation");
        if (Environment.GetEnvironmentVariable("KVASIR_VULKAN_VALIDATION") == "1")
        {
            info.EnabledLayerCount = 1;
            info.PpEnabledLayerNames = &validation;
        }
        Result result = api.CreateInstance(in info, null, out Instance instance);
        Marshal.FreeCoTaskMem((nint)validation);
        return result switch
        {
            Result.Success => instance,
            Result.ErrorIncompatibleDriver => throw new VulkanException(
                "Vulkan: no driver is installed, expected one of the GPU's maker, or Mesa's (mesa-vulkan-drivers)"),
            _ => throw new VulkanException($"Vulkan: cannot be started ({result}), expected a driver that works"),
        };
    }

    /// <summary>All devices, in the driver's order.</summary>
    public PhysicalDevice[] Devices()
    {
        uint count = 0;
        Check(Api.EnumeratePhysicalDevices(Instance, &count, null), "its devices");
        PhysicalDevice[] devices = new PhysicalDevice[count];
        fixed (PhysicalDevice* first = devices)
            if (count > 0)
                Check(Api.EnumeratePhysicalDevices(Instance, &count, first), "its devices");
        return devices[..(int)count];
    }

    /// <summary>Turns a driver's refusal into a line.</summary>
    public static void Check(Result result, string what)
    {
        if (result is Result.ErrorOutOfDeviceMemory or Result.ErrorOutOfHostMemory)
            throw new InsufficientMemoryException($"Vulkan: no memory for {what}");
        if (result == Result.ErrorDeviceLost)
            throw new IOException($"Vulkan: the device is lost, at {what}");
        if (result is not (Result.Success or Result.Incomplete))
            throw new VulkanException($"Vulkan: {what}: {result}");
    }

    public void Dispose()
    {
        Api.DestroyInstance(Instance, null);
        Api.Dispose();
    }
}
