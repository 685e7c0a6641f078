namespace Kvasir.Vulkan.Devices;

/// <summary>One device of this machine's Vulkan.</summary>
/// <param name="Index">Its number: N of <c>vulkan:N</c>.</param>
/// <param name="Name">Its name, as the driver gives it.</param>
/// <param name="Kind"><c>discrete</c>, <c>integrated</c>, <c>virtual</c>, <c>cpu</c> or <c>other</c>.</param>
/// <param name="MemoryBytes">Memory of its own, or that it shares where it has none.</param>
/// <param name="Api">The version of Vulkan that its driver speaks.</param>
/// <param name="Driver">The driver's version, as its maker counts.</param>
/// <param name="MaxRangeBytes">Most bytes that a kernel reaches at once: larger matrices are cut.</param>
/// <param name="Problem">Why it cannot be used, in one line; null when it can.</param>
public sealed record VulkanDeviceInfo(
    int Index, string Name, string Kind, long MemoryBytes, string Api, string Driver, long MaxRangeBytes, string? Problem);
