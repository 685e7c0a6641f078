namespace Kvasir.Inference.Kernels;

/// <summary>
/// The instructions of AMX, on the eight tiles tmm0 to tmm7 of at most sixteen rows of 64 bytes, and what asks whether they may be used.
/// </summary>
sealed partial class Avx512Assembler
{
    public void Ldtilecfg(Operand config) => Tile(Prefix.None, 0x49, 0, 0, config);
    public void Tilezero(int tile) => Tile(Prefix.HF2, 0x49, tile, 0, new Operand(0));

    /// <summary>Forgets all tiles and their shapes: what comes after runs, and is interrupted, as if there were none.</summary>
    public void Tilerelease() => Tile(Prefix.None, 0x49, 0, 0, new Operand(0));

    /// <summary>Rows that lie one stride apart.</summary>
    /// <param name="tile">Where they go.</param>
    /// <param name="from">The first.</param>
    /// <param name="stride">Bytes, a times'th part of them.</param>
    /// <param name="times">1, 2, 4 or 8.</param>
    public void Tileloadd(int tile, Operand from, Register stride, int times) => Tile(Prefix.HF2, 0x4B, tile, 0, from, stride, times);

    /// <summary>Likewise.</summary>
    public void Tilestored(Operand to, int tile, Register stride, int times) => Tile(Prefix.HF3, 0x4B, tile, 0, to, stride, times);

    /// <summary><c>sum[m][n] += Σ a[m][k] · b[k / 4][n][k mod 4]</c> of signed bytes.</summary>
    public void Tdpbssd(int sum, int a, int b) => Tile(Prefix.HF2, 0x5E, sum, b, new Operand(a));

    /// <summary>Which states the system keeps for programs, in rax.</summary>
    public void Xgetbv() => _code.AddRange([0x0F, 0x01, 0xD0]);

    public void Syscall() => _code.AddRange([0x0F, 0x05]);

    // VEX with three bytes: no register beyond the eighth but those of addresses, whose highest bits are inverted in the prefix.
    void Tile(Prefix prefix, byte opcode, int first, int second, Operand third, Register? index = null, int times = 1)
    {
        int indexNumber = (int)(index ?? 0);
        _code.AddRange([0xC4, (byte)(0x80 | (~indexNumber & 8) << 3 | (~third.Register & 8) << 2 | (int)Map.H0F38),
            (byte)((~second & 15) << 3 | (int)prefix), opcode]);
        if (index is null)
            Address(first, third, 1);
        else
            IndexedAddress(first, third, indexNumber, times);
    }

    void IndexedAddress(int first, Operand third, int index, int times)
    {
        const int sib = 4, offsetOf32Bits = 0x80;
        _code.Add((byte)(offsetOf32Bits | (first & 7) << 3 | sib));
        _code.Add((byte)(int.Log2(times) << 6 | (index & 7) << 3 | third.Register & 7));
        Number(third.Offset);
    }
}
