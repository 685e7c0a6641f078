namespace Kvasir.Formats.Quantization;

/// <summary>How <see cref="Q5_0"/> and <see cref="Q5_1"/> split a value: four bits in a shared byte, the fifth in a word of 32.</summary>
static class FiveBits
{
    const int Half = 16;

    public static (int Low, int Up) Unpack(byte pair, uint high, int j) =>
        (pair & 0x0F | (int)(high >> j & 1) << 4, pair >> 4 | (int)(high >> (j + Half) & 1) << 4);

    public static byte Pack(int low, int up, int j, ref uint high)
    {
        high |= (uint)(low >> 4 & 1) << j | (uint)(up >> 4 & 1) << (j + Half);
        return (byte)(low & 0x0F | up << 4);
    }
}
