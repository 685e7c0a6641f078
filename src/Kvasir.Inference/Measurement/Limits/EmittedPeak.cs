using Kvasir.Inference.Kernels;
using static Kvasir.Inference.Kernels.Operand;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>
/// The loop of AVX-512 VNNI, which .NET has no intrinsic for: products of bytes in 512-bit registers, as
/// <see cref="EmittedDot"/> makes them.
/// </summary>
static unsafe class EmittedPeak
{
    const int Chains = 24, BytesPerVector = 64;

    static readonly Lazy<nint> s_routine = new(() => new ExecutableMemory(Assemble()).Address);

    public static PeakLoop Int8 { get; } =
        new("AVX-512 VNNI", 2L * Chains * BytesPerVector, rounds => ((delegate* unmanaged<long, void>)s_routine.Value)(rounds));

    static byte[] Assemble()
    {
        Avx512Assembler code = new();
        for (int i = 0; i < 32; i++)
            code.Vpxord(Zmm(i), Zmm(i), Zmm(i));
        int next = code.Position;
        for (int i = 0; i < Chains; i++)
            code.Vpdpbusd(Zmm(i), Zmm(30), Zmm(31));
        code.Dec(Rdi);
        code.Jne(next);
        code.Vzeroupper();
        code.Ret();
        return code.ToArray();
    }
}
