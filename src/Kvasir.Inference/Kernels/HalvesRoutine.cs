using Iced.Intel;
using Kvasir.Inference.Kernels.Panels;
using static Iced.Intel.AssemblerRegisters;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Assembles the product of a panel of halves with one token: <c>y[64] += Σ_i w[i][64] · x[i]</c>, for which .NET has no intrinsic that widens halves.
/// Arguments: panel, inputs, x, y.
/// </summary>
static class HalvesRoutine
{
    const int Vectors = FloatPanels.PanelOutputs / 16, Vector = 64;

    public static void Assemble(Stream stream)
    {
        Assembler code = new(64);
        Label next = code.CreateLabel();
        for (int i = 0; i < Vectors; i++)
            code.vmovups(Zmm(i), __zmmword_ptr[rcx + i * Vector]);
        code.Label(ref next);
        code.vbroadcastss(zmm8, __dword_ptr[rdx]);
        for (int i = 0; i < Vectors; i++)
        {
            code.vcvtph2ps(Zmm(Vectors + i), __ymmword_ptr[rdi + i * Vector / 2]);
            code.vfmadd231ps(Zmm(i), Zmm(Vectors + i), zmm8);
        }
        code.add(rdi, FloatPanels.PanelOutputs * sizeof(ushort));
        code.add(rdx, sizeof(float));
        code.dec(rsi);
        code.jne(next);
        for (int i = 0; i < Vectors; i++)
            code.vmovups(__zmmword_ptr[rcx + i * Vector], Zmm(i));
        code.vzeroupper();
        code.ret();
        code.Assemble(new StreamCodeWriter(stream), 0);
    }

    static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
}
