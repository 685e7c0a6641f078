namespace Kvasir.Vulkan.Recording;

/// <summary>One thing that a device is told to do.</summary>
abstract record Command
{
    /// <summary>All that was told before is done, and seen by all that is told after.</summary>
    public sealed record Barrier : Command
    {
        public static Barrier Instance { get; } = new();
    }

    /// <summary>Runs a kernel in so many groups, x · y.</summary>
    public sealed record Dispatch(Kernel Kernel, DeviceRange[] Bindings, uint[] Form, int X, int Y) : Command;

    /// <summary>Copies bytes; both ranges are of one length.</summary>
    public sealed record Copy(DeviceRange Source, DeviceRange Target) : Command;

    /// <summary>Sets bytes to zero, in whole words.</summary>
    public sealed record Clear(DeviceRange Target) : Command;
}
