namespace Kvasir.Formats.Quantization;

/// <summary>Float arithmetic that the block formats share when they pack a row.</summary>
static class Rounding
{
    /// <summary>1/x, and 0 for 0: a block of zeros packs to zeros.</summary>
    public static float InverseOrZero(float scale) => scale == 0 ? 0 : 1f / scale;

    /// <summary>
    /// The low byte of the truncated value. A scale so small that its inverse overflows makes infinities and NaNs here; they become 0,
    /// as in ggml on x86, and are multiplied by a stored scale of 0 anyway.
    /// </summary>
    public static byte Truncate(float value) => value is > int.MinValue and < int.MaxValue ? (byte)(int)value : (byte)0;

    /// <summary>To the nearest integer, ties away from zero.</summary>
    public static sbyte Nearest(float value)
    {
        float whole = MathF.Truncate(value);
        float rest = value - whole; // exact
        return (sbyte)Truncate(MathF.Abs(rest) >= 0.5f ? whole + MathF.CopySign(1, rest) : whole);
    }

    /// <summary>The value of greatest magnitude with its sign, the first one of several.</summary>
    public static float Extreme(ReadOnlySpan<float> values)
    {
        float extreme = 0;
        foreach (float value in values)
            if (MathF.Abs(value) > MathF.Abs(extreme)) extreme = value;
        return extreme;
    }

    /// <summary>The least and the greatest value, the first one of several (which matters for the sign of zero).</summary>
    public static (float Min, float Max) Range(ReadOnlySpan<float> values)
    {
        (float min, float max) = (float.MaxValue, -float.MaxValue);
        foreach (float value in values)
        {
            if (value < min) min = value;
            if (value > max) max = value;
        }
        return (min, max);
    }
}
