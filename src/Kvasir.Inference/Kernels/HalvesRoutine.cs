using Kvasir.Inference.Kernels.Panels;
using static Kvasir.Inference.Kernels.Operand;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Assembles the product of a panel of halves with one token: <c>y[64] += Σ_i w[i][64] · x[i]</c>, for which .NET has no intrinsic that
/// widens halves. Arguments: panel, inputs, x, y.
/// </summary>
static class HalvesRoutine
{
    const int Vectors = FloatPanels.PanelOutputs / 16, Vector = 64;

    public static byte[] Assemble()
    {
        Avx512Assembler code = new();
        for (int i = 0; i < Vectors; i++)
            code.Vmovups(Zmm(i), At(Rcx, i * Vector));
        int next = code.Position;
        code.Vbroadcastss(Zmm(8), At(Rdx));
        for (int i = 0; i < Vectors; i++)
        {
            code.Vcvtph2ps(Zmm(Vectors + i), At(Rdi, i * Vector / 2));
            code.Vfmadd231ps(Zmm(i), Zmm(Vectors + i), Zmm(8));
        }
        code.Add(Rdi, FloatPanels.PanelOutputs * sizeof(ushort));
        code.Add(Rdx, sizeof(float));
        code.Dec(Rsi);
        code.Jne(next);
        for (int i = 0; i < Vectors; i++)
            code.Vmovups(At(Rcx, i * Vector), Zmm(i));
        code.Vzeroupper();
        code.Ret();
        return code.ToArray();
    }
}
