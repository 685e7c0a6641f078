namespace Kvasir.Formats.Quantization;

/// <summary>
/// Eight scales s and eight minimums m of 6 bits each in the 12 bytes that <see cref="Q4_K"/> and <see cref="Q5_K"/> share.
/// <code>
/// byte 0..3    s[0..3] in the low six bits; above them the upper two bits of s[4..7]
/// byte 4..7    m[0..3] in the low six bits; above them the upper two bits of m[4..7]
/// byte 8..11   lower four bits of s[4..7], and above them of m[4..7]
/// </code>
/// </summary>
static class SixBitScales
{
    public const int Bytes = 12;

    public static (int Scale, int Minimum) Unpack(ReadOnlySpan<byte> scales, int group) => group < 4
        ? (scales[group] & 63, scales[group + 4] & 63)
        : (scales[group + 4] & 15 | scales[group - 4] >> 6 << 4, scales[group + 4] >> 4 | scales[group] >> 6 << 4);

    /// <summary>Writes a group's scale and minimum into bytes that were zero.</summary>
    public static void Pack(Span<byte> scales, int group, int scale, int minimum)
    {
        if (group < 4)
        {
            scales[group] |= (byte)scale;
            scales[group + 4] |= (byte)minimum;
            return;
        }
        scales[group + 4] |= (byte)(scale & 15 | (minimum & 15) << 4);
        scales[group - 4] |= (byte)(scale >> 4 << 6);
        scales[group] |= (byte)(minimum >> 4 << 6);
    }
}
