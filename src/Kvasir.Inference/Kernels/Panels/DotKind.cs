namespace Kvasir.Inference.Kernels.Panels;

/// <summary>How quants are packed, see <see cref="PanelQuants"/>.</summary>
enum DotQuants { Bytes, FourBits, FiveBits, SixBits }

/// <summary>How scales are packed, see <see cref="PanelScales"/>.</summary>
enum DotScales { Halves, HalvesWithMinimums, ScaledWithMinimums, ScaledSixteens }

/// <summary>What kind of weights a product multiplies.</summary>
/// <param name="Quants">How they are packed.</param>
/// <param name="Scales">How they are scaled.</param>
/// <param name="Zero">What is subtracted from a quant.</param>
readonly record struct DotKind(DotQuants Quants, DotScales Scales, int Zero)
{
    public bool HasMinimums => Scales is DotScales.HalvesWithMinimums or DotScales.ScaledWithMinimums;
}
