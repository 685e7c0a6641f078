using System.Diagnostics.CodeAnalysis;
using Kvasir.Formats.Quantization;

namespace Kvasir.Formats;

/// <summary>How a tensor's values are stored. The numbers are ggml's, as found in GGUF files.</summary>
[SuppressMessage("Naming", "CA1707", Justification = "These are the names that everybody knows.")]
public enum TensorType
{
    /// <summary>IEEE binary32.</summary>
    F32 = 0,
    /// <summary>IEEE binary16.</summary>
    F16 = 1,
    /// <summary>32 values of 4 bits, one scale.</summary>
    Q4_0 = 2,
    /// <summary>32 values of 4 bits, one scale and one minimum.</summary>
    Q4_1 = 3,
    /// <summary>32 values of 5 bits, one scale.</summary>
    Q5_0 = 6,
    /// <summary>32 values of 5 bits, one scale and one minimum.</summary>
    Q5_1 = 7,
    /// <summary>32 values of 8 bits, one scale.</summary>
    Q8_0 = 8,
    /// <summary>256 values of 2 bits in sixteen groups with 4-bit scales and minimums.</summary>
    Q2_K = 10,
    /// <summary>256 values of 3 bits in sixteen groups with 6-bit scales.</summary>
    Q3_K = 11,
    /// <summary>256 values of 4 bits in eight groups with 6-bit scales and minimums.</summary>
    Q4_K = 12,
    /// <summary>256 values of 5 bits in eight groups with 6-bit scales and minimums.</summary>
    Q5_K = 13,
    /// <summary>256 values of 6 bits in sixteen groups with 8-bit scales.</summary>
    Q6_K = 14,
    /// <summary>256 values of 3 bits in fours from 256 points, and signs, in eight groups with 4-bit scales.</summary>
    IQ3_XXS = 18,
    /// <summary>32 values of 4 bits that choose from a table, one scale.</summary>
    IQ4_NL = 20,
    /// <summary>256 values of 3 bits in fours from 512 points, and signs, in eight groups with 4-bit scales.</summary>
    IQ3_S = 21,
    /// <summary>256 values of 4 bits that choose from a table, in eight groups with 6-bit scales.</summary>
    IQ4_XS = 23,
    /// <summary>The upper half of binary32.</summary>
    BF16 = 30,
    /// <summary>32 values of 4 bits that are small floats, one scale that is a power of 2: the Open Compute Project's.</summary>
    MXFP4 = 39,
}
