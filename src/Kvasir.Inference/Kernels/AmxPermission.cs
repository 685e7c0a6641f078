using System.Runtime.Intrinsics.X86;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Inference.Kernels;

/// <summary>What of the machine decides about AMX.</summary>
/// <param name="Features">The features in edx of the processor's seventh leaf.</param>
/// <param name="States">Which states the system keeps for each thread, by bits.</param>
/// <param name="Ask">Asks the kernel for tiles; zero or a negative error number.</param>
sealed record AmxMachine(int Features, Func<long> States, Func<long> Ask);

/// <summary>
/// Whether this process may use the tiles of AMX. Tiles make what the system keeps of a thread four times as large, so Linux lets a process
/// use them only once it has asked, and all its threads from then on.
/// </summary>
sealed class AmxPermission
{
    const int TileFeatures = 1 << 24 | 1 << 25; // tiles, and products of bytes
    const int TileStates = 1 << 17 | 1 << 18; // shapes and contents

    static readonly Lazy<AmxPermission> s_instance = new(() => new AmxPermission(Here()));

    public AmxPermission(AmxMachine machine)
    {
        HasAmx = (machine.Features & TileFeatures) == TileFeatures;
        if (HasAmx)
            Refusal = Refused(machine);
    }

    /// <summary>Asks when it is first called.</summary>
    public static AmxPermission Instance => s_instance.Value;

    /// <summary>Whether the processor has it.</summary>
    public bool HasAmx { get; }

    /// <summary>Why it cannot be used where the processor has it.</summary>
    public string? Refusal { get; }

    public bool IsGranted => HasAmx && Refusal is null;

    static string? Refused(AmxMachine machine)
    {
        if ((machine.States() & TileStates) != TileStates)
            return "the system does not keep tiles";
        long answer = machine.Ask();
        return answer == 0 ? null : $"the kernel refused it (error {-answer})";
    }

    /// <summary>This machine, where code can be emitted at all.</summary>
    static AmxMachine Here()
    {
        const int structuredFeatures = 7;
        bool canAsk = OperatingSystem.IsLinux() && EmittedDot.Instance is not null;
        int features = canAsk ? X86Base.CpuId(structuredFeatures, 0).Edx : 0;
        return new AmxMachine(features, () => Call(AssembleStates()), () => Call(AssembleAsk()));
    }

    static unsafe long Call(byte[] code) => ((delegate* unmanaged<long>)new ExecutableMemory(code).Address)();

    internal static byte[] AssembleStates()
    {
        Avx512Assembler code = new();
        code.Mov(Rcx, 0);
        code.Xgetbv();
        code.Ret();
        return code.ToArray();
    }

    internal static byte[] AssembleAsk()
    {
        const int archPrctl = 158, requestState = 0x1023, tileContents = 18;
        Avx512Assembler code = new();
        code.Mov(Rax, archPrctl);
        code.Mov(Rdi, requestState);
        code.Mov(Rsi, tileContents);
        code.Syscall();
        code.Ret();
        return code.ToArray();
    }
}
