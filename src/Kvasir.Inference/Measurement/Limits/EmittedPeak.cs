using Iced.Intel;
using Kvasir.Inference.Kernels;
using static Iced.Intel.AssemblerRegisters;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>The loop of AVX-512 VNNI, which .NET has no intrinsic for: products of bytes in 512-bit registers, as <see cref="EmittedDot"/> makes them.</summary>
static unsafe class EmittedPeak
{
    const int Chains = 24, BytesPerVector = 64;

    static readonly Lazy<nint> s_routine = new(() => new ExecutableMemory(Assemble()).Address(0));

    public static PeakLoop Int8 { get; } =
        new("AVX-512 VNNI", 2L * Chains * BytesPerVector, rounds => ((delegate* unmanaged<long, void>)s_routine.Value)(rounds));

    static byte[] Assemble()
    {
        Assembler code = new(64);
        Label next = code.CreateLabel();
        for (int i = 0; i < 32; i++)
            code.vpxord(Zmm(i), Zmm(i), Zmm(i));
        code.Label(ref next);
        for (int i = 0; i < Chains; i++)
            code.vpdpbusd(Zmm(i), zmm30, zmm31);
        code.dec(rdi);
        code.jne(next);
        code.vzeroupper();
        code.ret();
        using MemoryStream bytes = new();
        code.Assemble(new StreamCodeWriter(bytes), 0);
        return bytes.ToArray();
    }

    static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
}
