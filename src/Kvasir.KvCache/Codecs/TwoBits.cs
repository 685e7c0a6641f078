using System.Buffers.Binary;

namespace Kvasir.KvCache.Codecs;

/// <summary>32 codes, of which the lowest two bits are stored: four of them in a byte, eight apart.</summary>
static class TwoBits
{
    /// <summary>Bytes of 32 codes.</summary>
    public const int Bytes = ScaledGroup.Elements / 4;

    const ulong Lowest = 0x0303_0303_0303_0303; // of eight codes at a time

    public static void Pack(ReadOnlySpan<byte> codes, Span<byte> packed)
    {
        ulong bytes = 0;
        for (int part = 0; part < 4; part++)
            bytes |= (BinaryPrimitives.ReadUInt64LittleEndian(codes[(part * Bytes)..]) & Lowest) << 2 * part;
        BinaryPrimitives.WriteUInt64LittleEndian(packed, bytes);
    }

    /// <summary>Eight of them, each a byte.</summary>
    public static ulong Unpack(ReadOnlySpan<byte> packed, int part) =>
        BinaryPrimitives.ReadUInt64LittleEndian(packed) >> 2 * part & Lowest;
}
