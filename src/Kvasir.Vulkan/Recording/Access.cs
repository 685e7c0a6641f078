namespace Kvasir.Vulkan.Recording;

/// <summary>What a command does with memory.</summary>
[Flags]
enum Access
{
    Read = 1,
    Write = 2,
    ReadWrite = Read | Write,
}
