using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>What a <see cref="DotKernel"/> works on. Emitted code reads it too: the order of the fields is fixed.</summary>
unsafe struct DotOperands
{
    public byte* Quants; // [groups] of PanelQuants, or bytes [groups][8 quads][32 outputs][4]
    public float* Scales; // [groups][scales per group][32 outputs]
    public float* Minimums; // [groups][32 outputs]; not read when weights have none
    public byte* X; // groups of a tile of activations, see QuantizedRows
    public float* Y; // [tokens][32 outputs]: sums so far
    public nint YStride; // bytes from one token to the next
    public nint Groups; // at least 1
}

/// <summary>How quants are stored: as bytes of <c>q − zero + 128</c>, or packed as in <see cref="PanelQuants"/>.</summary>
enum DotQuants { Bytes, FourBits, FiveBits, SixBits }

/// <summary>A scale for each group, one with a minimum, or a scale for each sixteen inputs.</summary>
enum DotScales { Plain, WithMinimums, Sixteens }

/// <summary>What kind of weights a <see cref="DotKernel"/> multiplies.</summary>
/// <param name="Quants">How they are stored.</param>
/// <param name="Scales">How they are scaled.</param>
/// <param name="Zero">What is subtracted from a quant: 128 from bytes.</param>
readonly record struct DotKind(DotQuants Quants, DotScales Scales, int Zero);

/// <summary>
/// The product of bytes: for each token of a tile and each of 32 outputs, group by group in ascending order,
/// <c>y = fma(Σ w·x, scale_w · scale_x, y)</c> and, where weights have a minimum, <c>y = fma(minimum, scale_x · Σ x, y)</c>. The sums over the group are of
/// integers and exact, so every kernel gives the same bits.
/// </summary>
abstract class DotKernel
{
    /// <summary>Whether quants need not be bytes: for a tile or less that saves a way through the cache.</summary>
    public virtual bool UnpacksInRegisters => false;

    /// <summary>Adds to the sums of a tile.</summary>
    /// <param name="operands">What to multiply.</param>
    /// <param name="kind">Kind of weights.</param>
    /// <param name="tokens">Tokens of the tile, 1 to 4.</param>
    public abstract void Run(ref DotOperands operands, DotKind kind, int tokens);
}
