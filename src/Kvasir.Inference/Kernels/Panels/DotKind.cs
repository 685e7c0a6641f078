namespace Kvasir.Inference.Kernels.Panels;

/// <summary>How quants are packed, see <see cref="PanelQuants"/>.</summary>
enum DotQuants { Bytes, TwoBits, ThreeBits, FourBits, FiveBits, SixBits, Choices }

/// <summary>How scales are packed, see <see cref="PanelScales"/>.</summary>
enum DotScales { Halves, HalvesWithMinimums, ScaledWithMinimums, ScaledSigned, ScaledSixteens, ScaledSixteensWithMinimums, Exponents }

/// <summary>What kind of weights a product multiplies.</summary>
/// <param name="Quants">How they are packed.</param>
/// <param name="Scales">How they are scaled.</param>
/// <param name="Zero">What is subtracted from a quant.</param>
readonly record struct DotKind(DotQuants Quants, DotScales Scales, int Zero)
{
    public bool HasMinimums => Scales is
        DotScales.HalvesWithMinimums or DotScales.ScaledWithMinimums or DotScales.ScaledSixteensWithMinimums;

    /// <summary>Parts of a group with a scale of their own.</summary>
    public int Parts => Scales is DotScales.ScaledSixteens or DotScales.ScaledSixteensWithMinimums ? 2 : 1;
}
