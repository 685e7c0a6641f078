namespace Kvasir.Vulkan.Devices;

/// <summary>A device cannot be used. The message is one line that says why, and what was expected.</summary>
public sealed class VulkanException : Exception
{
    /// <summary>Creates the exception from a finished line.</summary>
    public VulkanException(string message) : base(message) { }

    /// <summary>Creates the exception from a finished line and what caused it.</summary>
    public VulkanException(string message, Exception innerException) : base(message, innerException) { }
}
