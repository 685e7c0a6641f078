using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// How the machine computes sixteen lanes: in Arm's 128-bit vectors, also with its dot products of bytes, or in an x64's of 256 or 512
/// bits; the last two are <see cref="Vector512"/> with products of bytes in emitted code, of which the last has tiles for many tokens.
/// </summary>
enum InstructionSet { Scalar, AdvSimd, AdvSimdDp, Vector256, Vector512, Avx512Vnni, Amx }

static class InstructionSets
{
    /// <summary>
    /// Forces a set: <c>scalar</c>; on Arm <c>advsimd</c> or <c>advsimddp</c>; on x64 <c>vector256</c>, <c>vector512</c>,
    /// <c>avx512vnni</c> or <c>amx</c>. All give the same bits; this is for tests and comparisons.
    /// </summary>
    public const string Variable = "KVASIR_ISA";

    /// <summary>Every set that is fast or at least exact on this machine.</summary>
    public static IEnumerable<InstructionSet> Available => Enum.GetValues<InstructionSet>().Where(IsAvailable);

    /// <summary>The set named by the environment, else the widest.</summary>
    /// <exception cref="ArgumentException">The environment names a set that does not exist or that this machine lacks.</exception>
    public static InstructionSet Chosen()
    {
        string? name = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(name))
            return Available.Last();
        return Enum.TryParse(name, ignoreCase: true, out InstructionSet set) && Enum.IsDefined(set) && IsAvailable(set)
            ? set
            : throw new ArgumentException(
                $"{Variable}={name}: expected one of {string.Join(", ", Available).ToLowerInvariant()} on this machine"
                + (AmxPermission.Instance.Refusal is { } refusal ? $", whose AMX cannot be used: {refusal}" : ""));
    }

    /// <summary>Why AMX is not used though the processor has it; null where it has none, is used, or a set was forced.</summary>
    public static string? AmxRefusal =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)) ? AmxPermission.Instance.Refusal : null;

    static bool IsAvailable(InstructionSet set) => set switch
    {
        InstructionSet.Amx => IsAvailable(InstructionSet.Avx512Vnni) && AmxPermission.Instance.IsGranted,
        InstructionSet.Avx512Vnni => Vector512.IsHardwareAccelerated && EmittedDot.Instance is not null,
        InstructionSet.Vector512 => Vector512.IsHardwareAccelerated,
        InstructionSet.Vector256 => Vector256.IsHardwareAccelerated,
        InstructionSet.AdvSimdDp => AdvSimd.Arm64.IsSupported && Dp.IsSupported,
        InstructionSet.AdvSimd => AdvSimd.Arm64.IsSupported,
        _ => true,
    };
}
