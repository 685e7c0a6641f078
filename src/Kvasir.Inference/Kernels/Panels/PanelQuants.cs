using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// How the quants of 32 inputs and 32 outputs are packed. Unpacked, a group is eight quads of 128 bytes:
/// <c>[quad][output][input mod 4]</c>. Everything here is integers: vectors of any width compute the same.
/// </summary>
abstract unsafe class PanelQuants
{
    protected const int Quads = 8, QuadBytes = QuantizedPanels.UnpackedBytes / Quads;

    /// <summary>Bytes of a packed group.</summary>
    public abstract int GroupBytes { get; }

    /// <summary>What the kernels call it.</summary>
    public abstract DotQuants Kind { get; }

    /// <summary>Packs one row's quants into a group that was zero there.</summary>
    public abstract void Pack(ReadOnlySpan<byte> quants, int row, byte* group);

    /// <summary>Unpacks groups that lie <paramref name="stride"/> bytes apart, and adds <paramref name="bias"/> to each quant.</summary>
    public abstract void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants);

    /// <summary>The byte of a quad that belongs to a row and an input.</summary>
    protected static int Place(int row, int input) => row * 4 + input % 4;
}

/// <summary>One byte a quant, as the kernels want it.</summary>
sealed unsafe class EightBits : PanelQuants
{
    public override int GroupBytes => QuantizedPanels.UnpackedBytes;

    public override DotQuants Kind => DotQuants.Bytes;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group)
    {
        for (int i = 0; i < quants.Length; i++)
            group[i / 4 * QuadBytes + Place(row, i)] = quants[i];
    }

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> added = Vector256.Create(bias);
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < QuantizedPanels.UnpackedBytes; i += Vector256<byte>.Count)
                (Vector256.Load(packed + i) + added).Store(quants + i);
    }
}

/// <summary>Quads 0 to 3 in the low four bits, 4 to 7 in the high four.</summary>
sealed unsafe class FourBits : PanelQuants
{
    public const int PackedBytes = QuantizedPanels.UnpackedBytes / 2;

    public override int GroupBytes => PackedBytes;

    public override DotQuants Kind => DotQuants.FourBits;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group) => PackNibbles(quants, row, group);

    public static void PackNibbles(ReadOnlySpan<byte> quants, int row, byte* group)
    {
        for (int i = 0; i < quants.Length / 2; i++)
            group[i / 4 * QuadBytes + Place(row, i)] = (byte)(quants[i] & 15 | quants[i + quants.Length / 2] << 4);
    }

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> added = Vector256.Create(bias);
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < PackedBytes; i += Vector256<byte>.Count)
            {
                (Vector256<byte> low, Vector256<byte> high) = Nibbles(packed + i);
                (low + added).Store(quants + i);
                (high + added).Store(quants + PackedBytes + i);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<byte> Low, Vector256<byte> High) Nibbles(byte* pairs)
    {
        Vector256<byte> both = Vector256.Load(pairs), mask = Vector256.Create((byte)15);
        return (both & mask, (both.AsUInt16() >>> 4).AsByte() & mask);
    }
}

/// <summary>Nibbles as <see cref="FourBits"/> that choose from sixteen numbers, which unpacked ones are.</summary>
/// <param name="table">The numbers, each so much larger that none is negative.</param>
sealed unsafe class Choices(Vector128<byte> table) : PanelQuants
{
    public Choices(ReadOnlySpan<sbyte> values) : this(Vector128.Create(values).AsByte() + Vector128.Create((byte)QuantizedPanels.Zero)) { }

    public override int GroupBytes => FourBits.PackedBytes;

    public override DotQuants Kind => DotQuants.Choices;

    public Vector128<byte> Table => table;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group) => FourBits.PackNibbles(quants, row, group);

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> numbers = Vector256.Create(table, table), added = Vector256.Create(bias);
        Vector256<byte> upperTable = Vector256.Create((byte)0).WithUpper(Vector128.Create((byte)16)); // indices there choose from its half
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < FourBits.PackedBytes; i += Vector256<byte>.Count)
            {
                (Vector256<byte> low, Vector256<byte> high) = FourBits.Nibbles(packed + i);
                (Vector256.Shuffle(numbers, low + upperTable) + added).Store(quants + i);
                (Vector256.Shuffle(numbers, high + upperTable) + added).Store(quants + FourBits.PackedBytes + i);
            }
    }
}

/// <summary>
/// Twice 128 bytes in which bits <c>2j</c> and <c>2j + 1</c> are those for quad <c>j</c>, or <c>j + 4</c>.
/// </summary>
sealed unsafe class TwoBits : PanelQuants
{
    public const int PackedBytes = 2 * QuadBytes;

    public override int GroupBytes => PackedBytes;

    public override DotQuants Kind => DotQuants.TwoBits;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group) => PackPairs(quants, row, group);

    public static void PackPairs(ReadOnlySpan<byte> quants, int row, byte* group)
    {
        for (int i = 0; i < quants.Length; i++)
            group[i / 16 * QuadBytes + Place(row, i)] |= (byte)((quants[i] & 3) << i / 4 % 4 * 2);
    }

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> added = Vector256.Create(bias);
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < QuadBytes; i += Vector256<byte>.Count)
                for (int quad = 0; quad < Quads; quad++)
                    (Pairs(packed + i, quad) + added).Store(quants + quad * QuadBytes + i);
    }

    /// <summary>A quad's two bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Pairs(byte* packed, int quad) =>
        (Vector256.Load(packed + quad / 4 * QuadBytes).AsUInt16() >>> quad % 4 * 2).AsByte() & Vector256.Create((byte)3);
}

/// <summary>Pairs as <see cref="TwoBits"/>, then 128 bytes in which bit <c>j</c> is the third bit for quad <c>j</c>.</summary>
sealed unsafe class ThreeBits : PanelQuants
{
    public override int GroupBytes => TwoBits.PackedBytes + QuadBytes;

    public override DotQuants Kind => DotQuants.ThreeBits;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group)
    {
        TwoBits.PackPairs(quants, row, group);
        for (int i = 0; i < quants.Length; i++)
            group[TwoBits.PackedBytes + Place(row, i)] |= (byte)(quants[i] >> 2 << i / 4);
    }

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> added = Vector256.Create(bias), third = Vector256.Create((byte)4);
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < QuadBytes; i += Vector256<byte>.Count)
            {
                Vector256<ushort> high = Vector256.Load(packed + TwoBits.PackedBytes + i).AsUInt16();
                for (int quad = 0; quad < Quads; quad++)
                {
                    Vector256<byte> upper = (quad < 2 ? high << (2 - quad) : high >>> (quad - 2)).AsByte() & third;
                    (TwoBits.Pairs(packed + i, quad) + upper + added).Store(quants + quad * QuadBytes + i);
                }
            }
    }
}

/// <summary>Nibbles as <see cref="FourBits"/>, then 128 bytes in which bit <c>j</c> is the fifth bit for quad <c>j</c>.</summary>
sealed unsafe class FiveBitQuants : PanelQuants
{
    public override int GroupBytes => FourBits.PackedBytes + QuadBytes;

    public override DotQuants Kind => DotQuants.FiveBits;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group)
    {
        FourBits.PackNibbles(quants, row, group);
        for (int i = 0; i < quants.Length; i++)
            group[FourBits.PackedBytes + Place(row, i)] |= (byte)(quants[i] >> 4 << i / 4);
    }

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> added = Vector256.Create(bias), fifth = Vector256.Create((byte)16);
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < QuadBytes; i += Vector256<byte>.Count)
            {
                Vector256<ushort> high = Vector256.Load(packed + FourBits.PackedBytes + i).AsUInt16();
                for (int quad = 0; quad < Quads / 2; quad++)
                {
                    (Vector256<byte> low, Vector256<byte> up) = FourBits.Nibbles(packed + quad * QuadBytes + i);
                    (low + ((high << (4 - quad)).AsByte() & fifth) + added).Store(quants + quad * QuadBytes + i);
                    (up + ((high >>> quad).AsByte() & fifth) + added).Store(quants + (quad + Quads / 2) * QuadBytes + i);
                }
            }
    }
}

/// <summary>
/// Nibbles as <see cref="FourBits"/>, then twice 128 bytes in which bits <c>2j</c> and <c>2j + 1</c> are the upper two for
/// quad <c>j</c>, or <c>j + 4</c>.
/// </summary>
sealed unsafe class SixBits : PanelQuants
{
    public override int GroupBytes => FourBits.PackedBytes + 2 * QuadBytes;

    public override DotQuants Kind => DotQuants.SixBits;

    public override void Pack(ReadOnlySpan<byte> quants, int row, byte* group)
    {
        FourBits.PackNibbles(quants, row, group);
        for (int i = 0; i < quants.Length; i++)
            group[FourBits.PackedBytes + i / 16 * QuadBytes + Place(row, i)] |= (byte)(quants[i] >> 4 << i / 4 % 4 * 2);
    }

    public override void Unpack(byte* packed, int stride, int groups, byte bias, byte* quants)
    {
        Vector256<byte> added = Vector256.Create(bias), upper = Vector256.Create((byte)48);
        for (byte* end = quants + groups * QuantizedPanels.UnpackedBytes; quants < end; quants += QuantizedPanels.UnpackedBytes,
            packed += stride)
            for (int i = 0; i < QuadBytes; i += Vector256<byte>.Count)
            {
                Vector256<ushort> first = Vector256.Load(packed + FourBits.PackedBytes + i).AsUInt16();
                Vector256<ushort> second = Vector256.Load(packed + FourBits.PackedBytes + QuadBytes + i).AsUInt16();
                for (int quad = 0; quad < Quads / 2; quad++)
                {
                    (Vector256<byte> low, Vector256<byte> up) = FourBits.Nibbles(packed + quad * QuadBytes + i);
                    (low + (Shift(first, quad) & upper) + added).Store(quants + quad * QuadBytes + i);
                    (up + (Shift(second, quad) & upper) + added).Store(quants + (quad + Quads / 2) * QuadBytes + i);
                }
            }
    }

    /// <summary>Brings a quad's two bits to places 4 and 5.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<byte> Shift(Vector256<ushort> pairs, int quad) =>
        (quad < 2 ? pairs << (4 - 2 * quad) : pairs >>> (2 * quad - 4)).AsByte();
}
