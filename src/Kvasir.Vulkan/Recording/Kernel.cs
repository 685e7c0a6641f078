namespace Kvasir.Vulkan.Recording;

/// <summary>A shader with its constants.</summary>
/// <param name="Name">The compiled shader's.</param>
/// <param name="Declared">What it does with each of its bindings, in their order: what barriers are made of.</param>
/// <param name="Constants">Its specialization constants, by their numbers.</param>
sealed record Kernel(string Name, Access[] Declared, params uint[] Constants)
{
    /// <summary>Lanes of a group, of all kernels.</summary>
    public const int Lanes = 64;
}
