using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Kvasir.Inference.Kernels;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>Which machine limits belong to. Limits of another one, or of this one after a change, are measured anew.</summary>
/// <param name="Cpu">
/// The processor's own name with its family and model, since several may have one name; its architecture where it has none.
/// </param>
/// <param name="LogicalProcessors">Threads that the machine runs at once.</param>
/// <param name="InstructionSet">How kernels compute sixteen lanes here.</param>
/// <param name="OperatingSystem">Name and version.</param>
/// <param name="MemoryBytes">Memory that this process may use at most.</param>
public sealed record MachineIdentity(string Cpu, int LogicalProcessors, string InstructionSet, string OperatingSystem, long MemoryBytes)
{
    /// <summary>The machine that this runs on.</summary>
    /// <exception cref="ArgumentException">The environment asks for an instruction set that this machine lacks.</exception>
    public static MachineIdentity Current() => new(
        CpuName(), Environment.ProcessorCount, InstructionSets.Chosen().ToString().ToLowerInvariant(), RuntimeInformation.OSDescription,
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>Why the tiles of AMX do not compute although the processor has them; null where it has none, or where they do.</summary>
    public static string? AmxRefusal => InstructionSets.AmxRefusal;

    static string CpuName()
    {
        if (!X86Base.IsSupported || (uint)X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < 0x80000004)
            return string.Join(", ", [RuntimeInformation.ProcessArchitecture.ToString(), .. Parts()]);
        Span<byte> name = stackalloc byte[48]; // three leaves of four registers
        for (int i = 0; i < 3; i++)
        {
            var registers = X86Base.CpuId(unchecked((int)0x80000002) + i, 0);
            BinaryPrimitives.WriteInt32LittleEndian(name[(16 * i)..], registers.Eax);
            BinaryPrimitives.WriteInt32LittleEndian(name[(16 * i + 4)..], registers.Ebx);
            BinaryPrimitives.WriteInt32LittleEndian(name[(16 * i + 8)..], registers.Ecx);
            BinaryPrimitives.WriteInt32LittleEndian(name[(16 * i + 12)..], registers.Edx);
        }
        return $"{Encoding.ASCII.GetString(name).TrimEnd('\0').Trim()} {Kind(X86Base.CpuId(1, 0).Eax)}";
    }

    /// <summary>Family and model as everybody counts them, from what the processor says of itself: <c>(family 25, model 17)</c>.</summary>
    internal static string Kind(int signature)
    {
        int family = signature >> 8 & 0xF, model = signature >> 4 & 0xF;
        if (family is 6 or 0xF)
            model += signature >> 12 & 0xF0;
        return $"(family {(family == 0xF ? family + (signature >> 20 & 0xFF) : family)}, model {model})";
    }

    /// <summary>Arm's processors have no names, only numbers of who designed them and which they are. Linux tells them by core.</summary>
    static IEnumerable<string> Parts()
    {
        try
        {
            return PartsOf(File.ReadAllLines("/proc/cpuinfo"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) // another system than Linux
        {
            return [];
        }
    }

    /// <summary>What <c>/proc/cpuinfo</c> says of Arm's cores, each kind once: <c>implementer 0x41 part 0xd0c</c>.</summary>
    internal static IEnumerable<string> PartsOf(string[] lines)
    {
        string implementer = "";
        List<string> parts = [];
        foreach (string[] pair in lines.Select(line => line.Split(':', StringSplitOptions.TrimEntries)).Where(pair => pair.Length == 2))
            if (pair[0] == "CPU implementer")
                implementer = pair[1];
            else if (pair[0] == "CPU part")
                parts.Add($"implementer {implementer} part {pair[1]}");
        return parts.Distinct();
    }
}
