namespace Kvasir.Inference.Kernels;

/// <summary>
/// The registers that hold addresses and counts, numbered as the processor does. Those missing need other encodings as addresses.
/// </summary>
enum Register { Rax = 0, Rcx = 1, Rdx = 2, Rsi = 6, Rdi = 7, R8 = 8, R9 = 9, R10 = 10, R11 = 11 }

/// <summary>A register, or memory at some bytes from where a register points.</summary>
readonly record struct Operand(int Register, bool IsMemory = false, int Offset = 0, bool IsBroadcast = false)
{
    public static Operand Zmm(int number) => new(number);

    public static Operand At(Register register, int offset = 0) => new((int)register, IsMemory: true, offset);

    /// <summary>One float or integer of memory, in all lanes.</summary>
    public static Operand InAllLanes(Register register, int offset) => new((int)register, IsMemory: true, offset, IsBroadcast: true);
}

/// <summary>
/// Writes the machine code of <see cref="EmittedDot"/> and <see cref="TileDot"/>: those instructions that they need, under their names in
/// Intel's manual, destination first; vectors are of 512 bits. A library that knows all instructions took longer to start than a short
/// answer to compute.
/// </summary>
sealed partial class Avx512Assembler
{
    const int Full = 64, Half = 32, Quarter = 16, Lane = 4; // bytes that an instruction reads, in which its short offsets count

    enum Prefix { None, H66, HF3, HF2 }

    enum Map { H0F = 1, H0F38 = 2, H0F3A = 3 }

    readonly List<byte> _code = [];

    /// <summary>Bytes so far: where the next instruction begins.</summary>
    public int Position => _code.Count;

    public byte[] ToArray() => [.. _code];

    public void Vmovups(Operand to, Operand from)
    {
        if (to.IsMemory)
            Vector(Prefix.None, Map.H0F, 0x11, from.Register, 0, to);
        else
            Vector(Prefix.None, Map.H0F, 0x10, to.Register, 0, from);
    }

    public void Vmovdqa64(Operand to, Operand from) => Vector(Prefix.H66, Map.H0F, 0x6F, to.Register, 0, from, wide: true);
    public void Vmovdqu8(Operand to, Operand from) => Vector(Prefix.HF2, Map.H0F, 0x6F, to.Register, 0, from);
    public void Vbroadcastss(Operand to, Operand from) => Vector(Prefix.H66, Map.H0F38, 0x18, to.Register, 0, from, Lane);
    public void Vpbroadcastd(Operand to, Operand from) => Vector(Prefix.H66, Map.H0F38, 0x58, to.Register, 0, from, Lane);
    public void Vpbroadcastd(Operand to, Register from) => Vector(Prefix.H66, Map.H0F38, 0x7C, to.Register, 0, new Operand((int)from));
    public void Vcvtph2ps(Operand to, Operand from) => Vector(Prefix.H66, Map.H0F38, 0x13, to.Register, 0, from, Half);
    public void Vcvtdq2ps(Operand to, Operand from) => Vector(Prefix.None, Map.H0F, 0x5B, to.Register, 0, from);
    public void Vpmovsxbd(Operand to, Operand from) => Vector(Prefix.H66, Map.H0F38, 0x21, to.Register, 0, from, Quarter);
    public void Vpmovzxbd(Operand to, Operand from) => Vector(Prefix.H66, Map.H0F38, 0x31, to.Register, 0, from, Quarter);
    public void Vmulps(Operand to, Operand a, Operand b) => Vector(Prefix.None, Map.H0F, 0x59, to.Register, a.Register, b);
    public void Vpsubd(Operand to, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F, 0xFA, to.Register, a.Register, b);
    public void Vsubps(Operand to, Operand a, Operand b) => Vector(Prefix.None, Map.H0F, 0x5C, to.Register, a.Register, b);
    public void Vfmadd231ps(Operand sum, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F38, 0xB8, sum.Register, a.Register, b);
    public void Vpdpbusd(Operand sum, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F38, 0x50, sum.Register, a.Register, b);
    public void Vpshufb(Operand to, Operand table, Operand indices) =>
        Vector(Prefix.H66, Map.H0F38, 0x00, to.Register, table.Register, indices);
    public void Vpandd(Operand to, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F, 0xDB, to.Register, a.Register, b);
    public void Vpxord(Operand to, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F, 0xEF, to.Register, a.Register, b);
    public void Vpaddd(Operand to, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F, 0xFE, to.Register, a.Register, b);
    public void Vpmaxsd(Operand to, Operand a, Operand b) => Vector(Prefix.H66, Map.H0F38, 0x3D, to.Register, a.Register, b);
    public void Vpslld(Operand to, Operand from, int bits) => Vector(Prefix.H66, Map.H0F, 0x72, 6, to.Register, from, immediate: bits);
    public void Vpsrad(Operand to, Operand from, int bits) => Vector(Prefix.H66, Map.H0F, 0x72, 4, to.Register, from, immediate: bits);
    public void Vpsrlw(Operand to, Operand from, int bits) => Vector(Prefix.H66, Map.H0F, 0x71, 2, to.Register, from, immediate: bits);
    public void Vpsllw(Operand to, Operand from, int bits) => Vector(Prefix.H66, Map.H0F, 0x71, 6, to.Register, from, immediate: bits);

    public void Vpternlogd(Operand to, Operand a, Operand b, int table) =>
        Vector(Prefix.H66, Map.H0F3A, 0x25, to.Register, a.Register, b, immediate: table);

    public void Vzeroupper() => _code.AddRange([0xC5, 0xF8, 0x77]);

    public void Mov(Register to, Operand from) => Integer(0x8B, (int)to, from);
    public void Mov(Register to, Register from) => Integer(0x8B, (int)to, new Operand((int)from));
    public void Add(Register to, Register from) => Integer(0x03, (int)to, new Operand((int)from));
    public void Add(Register to, Operand from) => Integer(0x03, (int)to, from);
    public void Mov(Operand to, Register from) => Integer(0x89, (int)from, to);
    public void Xchg(Register a, Register b) => Integer(0x87, (int)a, new Operand((int)b));
    public void Dec(Register counter) => Dec(new Operand((int)counter));
    public void Dec(Operand counter) => Integer(0xFF, 1, counter);

    /// <summary>Sets all of the register; the value is not negative.</summary>
    public void Mov(Register to, int value)
    {
        Integer(0xC7, 0, new Operand((int)to));
        Number(value);
    }

    public void Add(Register to, int value)
    {
        Integer(0x81, 0, new Operand((int)to));
        Number(value);
    }

    public void Prefetcht0(Operand address)
    {
        Rex(0, 1, address);
        _code.AddRange([0x0F, 0x18]);
        Address(1, address, 1);
    }

    /// <summary>Goes back to where an instruction begins unless the last count was zero.</summary>
    public void Jne(int position)
    {
        _code.AddRange([0x0F, 0x85]);
        Number(position - (Position + sizeof(int)));
    }

    /// <summary>Goes on where <see cref="Land"/> says, if the last count was zero.</summary>
    /// <returns>What to give to <see cref="Land"/>.</returns>
    public int Je()
    {
        _code.AddRange([0x0F, 0x84, 0, 0, 0, 0]);
        return Position;
    }

    /// <summary>Lets a <see cref="Je"/> go on here.</summary>
    public void Land(int jump)
    {
        byte[] distance = BitConverter.GetBytes(Position - jump);
        for (int i = 0; i < sizeof(int); i++)
            _code[jump - sizeof(int) + i] = distance[i];
    }

    public void Ret() => _code.Add(0xC3);

    // EVEX: bits of register numbers beyond the lowest three are inverted and spread over the prefix.
    void Vector(Prefix prefix, Map map, byte opcode, int first, int second, Operand third, int bytes = Full,
        int? immediate = null, bool wide = false)
    {
        int index = third.IsMemory ? 0 : third.Register;
        _code.Add(0x62);
        _code.Add((byte)((~first & 8) << 4 | (~index & 16) << 2 | (~third.Register & 8) << 2 | (~first & 16) | (int)map));
        _code.Add((byte)((wide ? 0x80 : 0) | (~second & 15) << 3 | 4 | (int)prefix));
        _code.Add((byte)(0x40 | (third.IsBroadcast ? 0x10 : 0) | (~second & 16) >> 1));
        _code.Add(opcode);
        Address(first, third, third.IsBroadcast ? Lane : bytes);
        if (immediate is { } value)
            _code.Add((byte)value);
    }

    void Integer(byte opcode, int first, Operand second)
    {
        Rex(8, first, second);
        _code.Add(opcode);
        Address(first, second, 1);
    }

    void Rex(int wide, int first, Operand second) => _code.Add((byte)(0x40 | wide | (first & 8) >> 1 | (second.Register & 8) >> 3));

    void Address(int first, Operand second, int unit)
    {
        bool isShort = second.Offset % unit == 0 && second.Offset / unit is >= sbyte.MinValue and <= sbyte.MaxValue;
        int mode = !second.IsMemory ? 3 : second.Offset == 0 ? 0 : isShort ? 1 : 2;
        _code.Add((byte)(mode << 6 | (first & 7) << 3 | second.Register & 7));
        if (mode == 1)
            _code.Add((byte)(second.Offset / unit));
        else if (mode == 2)
            Number(second.Offset);
    }

    void Number(int value) => _code.AddRange(BitConverter.GetBytes(value));
}
