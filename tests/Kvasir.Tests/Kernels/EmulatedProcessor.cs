using System.Runtime.InteropServices;
using Kvasir.Inference.Kernels;

namespace Kvasir.Tests.Kernels;

/// <summary>
/// Executes machine code, byte by byte as the manual defines it, as far as emitted routines go: what a machine without AMX would do if it
/// had it. Reads and writes the memory of this process, and nothing that it was not given. An instruction that it does not know, a tile
/// without a shape and an access beyond memory end the test.
/// </summary>
sealed unsafe class EmulatedProcessor
{
    public const int Lanes = 16;

    readonly List<(nint Start, nint End)> _memory = [];
    readonly int[][] _zmm = [.. Enumerable.Range(0, 32).Select(_ => new int[Lanes])];
    readonly nint[] _registers = new nint[16];
    readonly EmulatedTiles _tiles;
    byte[] _code = [];
    int _at;
    bool _isZero;

    public EmulatedProcessor() => _tiles = new EmulatedTiles(Address);

    /// <summary>Whether no tile has a shape: nobody would see that there were some.</summary>
    public bool TilesAreReleased => _tiles.AreReleased;

    /// <summary>Instructions so far.</summary>
    public long Executed { get; private set; }

    /// <summary>Memory that code may use.</summary>
    public void Give(void* start, long bytes) => _memory.Add(((nint)start, (nint)start + (nint)bytes));

    /// <summary>Runs a routine with its first arguments until it returns.</summary>
    public void Run(byte[] code, void* argument, void* second = null)
    {
        (_code, _at) = (code, 0);
        new Random(1).NextBytes(MemoryMarshal.AsBytes(_registers.AsSpan())); // nothing is known of the others
        foreach (int[] vector in _zmm)
            new Random(2).NextBytes(MemoryMarshal.AsBytes(vector.AsSpan()));
        _registers[(int)Register.Rdi] = (nint)argument;
        _registers[(int)Register.Rsi] = (nint)second;
        while (Step())
            Executed++;
    }

    bool Step()
    {
        byte first = Next();
        switch (first)
        {
            case 0x62: Evex(); return true;
            case 0xC4: Vex(); return true;
            case 0xC5: Expect(0xF8, 0x77); ClearUpper(); return true;
            case 0x0F: Jump(Next()); return true;
            case 0xC3: return false;
            case >= 0x48 and <= 0x4F: Integer(first); return true;
            default: throw Unknown(first);
        }
    }

    void ClearUpper() // vzeroupper: all but the lower 128 bits of the first sixteen
    {
        for (int i = 0; i < 16; i++)
            _zmm[i].AsSpan(4).Clear();
    }

    void Jump(byte kind)
    {
        int distance = Number();
        if (kind is not (0x84 or 0x85))
            throw Unknown(kind);
        if (_isZero == (kind == 0x84))
            _at += distance;
    }

    void Integer(byte rex)
    {
        byte opcode = Next();
        Place second = ReadPlace((rex & 4) << 1, (rex & 2) << 2, (rex & 1) << 3, 1);
        ref nint register = ref _registers[second.First & 15];
        ref nint other = ref (second.IsMemory ? ref *(nint*)Address(second.Address, sizeof(long)) : ref _registers[second.Register]);
        switch (opcode)
        {
            case 0x8B: register = other; break;
            case 0x89: other = register; break;
            case 0x03: register = Counted(register + other); break;
            case 0x87: (register, other) = (other, register); break;
            case 0xC7 when (second.First & 7) == 0: other = Number(); break;
            case 0x81 when (second.First & 7) == 0: other = Counted(other + Number()); break;
            case 0xFF when (second.First & 7) == 1: other = Counted(other - 1); break;
            default: throw Unknown(opcode);
        }
    }

    nint Counted(nint value)
    {
        _isZero = value == 0;
        return value;
    }

    void Vex()
    {
        byte a = Next(), b = Next(), opcode = Next();
        if ((a & 0x9F) != 0x82 || (b & 0x84) != 0)
            throw Unknown(opcode);
        Place third = ReadPlace(0, (~a & 0x40) >> 3, (~a & 0x20) >> 2, 1);
        if (!_tiles.Run(opcode, b & 3, third, ~b >> 3 & 15))
            throw Unknown(opcode);
    }

    void Evex()
    {
        byte a = Next(), b = Next(), c = Next(), opcode = Next();
        int operation = (a & 3) << 16 | (b & 3) << 8 | opcode; // map, prefix and opcode
        bool isBroadcast = (c & 0x10) != 0;
        Place third = ReadPlace((~a & 0x80) >> 4 | ~a & 0x10, (~a & 0x40) >> 2, (~a & 0x20) >> 2, Unit(operation, isBroadcast));
        if ((c & 0xE0) != 0x40 || (c & 7) != 0 || (a & 0xC) != 0 || (b & 4) == 0)
            throw Unknown(opcode);
        int second = ~b >> 3 & 15 | (~c & 8) << 1;
        if (!third.IsMemory)
            third = third with { Register = third.Register & 15 | (~a & 0x40) >> 2 };
        new EmulatedVectors(_zmm, Address, Next).Run(operation, third, second, isBroadcast);
    }

    /// <summary>Bytes in which short offsets count.</summary>
    static int Unit(int operation, bool isBroadcast) =>
        isBroadcast || operation is EmulatedVectors.BroadcastFloat or EmulatedVectors.BroadcastInteger ? 4 : 64;

    /// <summary>The bytes that say what an instruction works on.</summary>
    Place ReadPlace(int firstHigh, int indexHigh, int baseHigh, int unit)
    {
        byte modes = Next();
        int mode = modes >> 6, low = modes & 7, first = modes >> 3 & 7 | firstHigh;
        if (mode == 3)
            return new Place(first, low | baseHigh, 0, IsMemory: false, 0);
        nint stride = 0;
        if (low == 4)
        {
            byte scaled = Next();
            (low, stride) = (scaled & 7, _registers[scaled >> 3 & 7 | indexHigh & 8] << (scaled >> 6));
        }
        else if (low == 5 && mode == 0)
            throw Unknown(modes);
        nint offset = mode switch { 0 => 0, 1 => (sbyte)Next() * unit, _ => Number() };
        return new Place(first, 0, _registers[low | baseHigh] + offset, IsMemory: true, stride);
    }

    byte* Address(nint start, int bytes)
    {
        foreach ((nint from, nint end) in _memory)
            if (start >= from && start + bytes <= end)
                return (byte*)start;
        throw new InvalidOperationException($"{bytes} bytes at {start:x} belong to nobody, before byte {_at} of the code");
    }

    byte Next() => _code[_at++];

    int Number()
    {
        _at += sizeof(int);
        return BitConverter.ToInt32(_code, _at - sizeof(int));
    }

    void Expect(params ReadOnlySpan<byte> bytes)
    {
        foreach (byte expected in bytes)
            Assert.Equal(expected, Next());
    }

    InvalidOperationException Unknown(int value) => new($"no instruction that is known: {value:x} before byte {_at}");
}

/// <summary>What an instruction names: a register first, then another register, or memory, maybe with rows one stride apart.</summary>
readonly record struct Place(int First, int Register, nint Address, bool IsMemory, nint Stride);

/// <summary>Bytes of memory that code may use.</summary>
unsafe delegate byte* MemoryAt(nint start, int bytes);
