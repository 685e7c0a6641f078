using System.Numerics;
using Iced.Intel;
using Kvasir.Inference.Kernels.Panels;
using static Iced.Intel.AssemblerRegisters;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Assembles the code of <see cref="EmittedDot"/> for one kind of weights and number of tokens. Registers: zmm0.. integer sums [token][half], then
/// float sums [token][half]; 16 and 17 what scales the scales, 18 and 19 what scales the minimums; 20 and 21 masks; 22 and 23 upper bits; 24 and 25
/// weights; 26 and 27 activations; 28 and 29 scales; 30 and 31 products of scales.
/// </summary>
sealed class DotRoutine(DotKind kind, int tokens)
{
    const int Halves = 2, Vector = 64, Outputs = QuantizedPanels.PanelOutputs; // a panel is two vectors of sixteen outputs
    const int Quads = 8, QuadBytes = QuantizedPanels.UnpackedBytes / Quads;
    const int UpperBits = FourBits.PackedBytes; // they follow the nibbles
    const int BlockGroups = 8; // of k-quants
    const int Ahead = 4096; // bytes

    static readonly AssemblerRegisterZMM s_nibbleMask = zmm20, s_upperMask = zmm21;

    readonly Assembler _code = new(64);
    readonly AssemblerRegister64 _weights = rax, _x = rsi, _start = rcx, _startStride = rdx, _y = r8, _stride = r9, _blocks = r10, _row = r11, _groups = rcx; // the start is needed at the start only
    readonly int _parts = kind.Scales == DotScales.ScaledSixteens ? 2 : 1;
    readonly bool _hasHeader = kind.Scales is DotScales.ScaledSixteens or DotScales.ScaledWithMinimums;

    public void Assemble(Stream stream)
    {
        LoadMasks();
        LoadOperands();
        EachSum(_start, _startStride, (token, half) => _code.vmovups(Sum(token, half), __zmmword_ptr[_row + half * Vector]));
        Repeat(_blocks, () =>
        {
            if (!_hasHeader)
            {
                MultiplyGroup();
                return;
            }
            LoadHeader();
            _code.mov(_groups, BlockGroups);
            Repeat(_groups, MultiplyGroup);
        });
        EachSum(_y, _stride, (token, half) => _code.vmovups(__zmmword_ptr[_row + half * Vector], Sum(token, half)));
        _code.vzeroupper();
        _code.ret();
        _code.Assemble(new StreamCodeWriter(stream), 0);
    }

    void Repeat(AssemblerRegister64 counter, Action body)
    {
        Label next = _code.CreateLabel();
        _code.Label(ref next);
        body();
        _code.dec(counter);
        _code.jne(next);
    }

    void MultiplyGroup()
    {
        for (int part = 0; part < _parts; part++)
        {
            StartIntegers(part);
            for (int quad = part * Quads / _parts; quad < (part + 1) * Quads / _parts; quad++)
                MultiplyQuad(quad);
            AddScaled(part);
        }
        if (kind.HasMinimums)
            AddMinimums();
        _code.add(_weights, QuantBytes() + 2 * Outputs * (kind.Scales == DotScales.HalvesWithMinimums ? 2 : 1));
        _code.add(_x, tokens * QuantizedRows.GroupBytes);
    }

    int QuantBytes() => kind.Quants switch
    {
        DotQuants.FourBits => FourBits.PackedBytes,
        DotQuants.FiveBits => FourBits.PackedBytes + QuadBytes,
        DotQuants.SixBits => FourBits.PackedBytes + 2 * QuadBytes,
        _ => QuantizedPanels.UnpackedBytes,
    };

    /// <summary>Halves that scale the scales and, negated, the minimums of the block.</summary>
    void LoadHeader()
    {
        for (int half = 0; half < Halves; half++)
            LoadHalves(ScaleOfScales(half), 0, half);
        if (kind.HasMinimums)
            for (int half = 0; half < Halves; half++)
            {
                LoadHalves(ScaleOfMinimums(half), Outputs * sizeof(ushort), half);
                _code.vpxord(Product(half), Product(half), Product(half));
                _code.vsubps(ScaleOfMinimums(half), Product(half), ScaleOfMinimums(half));
            }
        _code.add(_weights, Outputs * sizeof(ushort) * (kind.HasMinimums ? 2 : 1));
    }

    void LoadHalves(AssemblerRegisterZMM floats, int offset, int half) => _code.vcvtph2ps(floats, __ymmword_ptr[_weights + offset + half * Vector / 2]);

    void LoadMasks()
    {
        _code.mov(eax, 0x0F0F0F0F);
        _code.vpbroadcastd(s_nibbleMask, eax);
        _code.mov(eax, kind.Quants == DotQuants.SixBits ? 0x30303030 : 0x10101010);
        _code.vpbroadcastd(s_upperMask, eax);
    }

    void LoadOperands()
    {
        AssemblerRegister64[] fields = [_weights, _x, _start, _startStride, _y, _stride, _blocks]; // in the order of DotOperands
        for (int i = 0; i < fields.Length; i++)
            _code.mov(fields[i], __qword_ptr[rdi + i * sizeof(long)]);
    }

    void EachSum(AssemblerRegister64 rows, AssemblerRegister64 stride, Action<int, int> move)
    {
        _code.mov(_row, rows);
        for (int token = 0; token < tokens; token++)
        {
            for (int half = 0; half < Halves; half++)
                move(token, half);
            _code.add(_row, stride);
        }
    }

    /// <summary>Integer sums begin with −zero · Σ x; the activations hold it for a zero of 128.</summary>
    void StartIntegers(int part)
    {
        int offsets = _parts == 2 ? QuantizedRows.HalfOffsets + part * sizeof(int) : QuantizedRows.Offsets;
        for (int token = 0; token < tokens; token++)
        {
            if (kind.Zero == 0)
                _code.vpxord(Integers(token, 0), Integers(token, 0), Integers(token, 0));
            else
                _code.vpbroadcastd(Integers(token, 0), __dword_ptr[_x + tokens * offsets + token * sizeof(int)]);
            if (kind.Zero is not (0 or QuantizedPanels.Zero))
                _code.vpsrad(Integers(token, 0), Integers(token, 0), (byte)BitOperations.Log2((uint)(QuantizedPanels.Zero / kind.Zero)));
            _code.vmovdqa64(Integers(token, 1), Integers(token, 0));
        }
    }

    void MultiplyQuad(int quad)
    {
        if (tokens < QuantizedRows.Tile && kind.Quants != DotQuants.Bytes)
            Prefetch(quad);
        for (int half = 0; half < Halves; half++)
            LoadWeights(quad, half);
        for (int token = 0; token < tokens; token++)
        {
            _code.vpbroadcastd(Activations(token), __dword_ptr[_x + (quad * tokens + token) * sizeof(int)]);
            for (int half = 0; half < Halves; half++)
                _code.vpdpbusd(Integers(token, half), Weights(half), Activations(token));
        }
    }

    /// <summary>
    /// Asks for a quad's share of the memory ahead. Where few bytes mean much work the processor does not look far enough ahead by itself; bytes it reads
    /// as fast as they come.
    /// </summary>
    void Prefetch(int quad)
    {
        int lines = (QuantBytes() + 2 * Outputs) / Vector;
        for (int line = quad; line < lines; line += Quads)
            _code.prefetcht0(__byte_ptr[_weights + Ahead + line * Vector]);
    }

    void LoadWeights(int quad, int half)
    {
        int pair = quad % (Quads / 2);
        if (kind.Quants == DotQuants.Bytes)
            _code.vmovdqu8(Weights(half), Quants(quad * QuadBytes, half));
        else if (quad == pair)
            _code.vpandd(Weights(half), s_nibbleMask, Quants(pair * QuadBytes, half));
        else
        {
            _code.vpsrlw(Weights(half), Quants(pair * QuadBytes, half), 4);
            _code.vpandd(Weights(half), Weights(half), s_nibbleMask);
        }
        if (kind.Quants == DotQuants.FiveBits)
            AddUpperBits(half, Quants(UpperBits, half), 4 - quad);
        else if (kind.Quants == DotQuants.SixBits)
            AddUpperBits(half, Quants(UpperBits + quad / 4 * QuadBytes, half), 4 - 2 * pair);
    }

    /// <summary>Brings a quad's upper bits to their place, from so many bits below it, and sets them.</summary>
    void AddUpperBits(int half, AssemblerMemoryOperand stored, int below)
    {
        const byte aOrBAndC = 0xF8;
        if (below >= 0)
            _code.vpsllw(Upper(half), stored, (byte)below);
        else
            _code.vpsrlw(Upper(half), stored, (byte)-below);
        _code.vpternlogd(Weights(half), Upper(half), s_upperMask, aOrBAndC);
    }

    void AddScaled(int part)
    {
        for (int half = 0; half < Halves; half++)
            LoadScales(part, half);
        for (int token = 0; token < tokens; token++)
            for (int half = 0; half < Halves; half++)
            {
                _code.vcvtdq2ps(Integers(token, half), Integers(token, half));
                _code.vmulps(Product(half), Scales(half), __dword_bcst[_x + tokens * QuantizedRows.Scales + token * sizeof(float)]);
                _code.vfmadd231ps(Sum(token, half), Integers(token, half), Product(half));
            }
    }

    void LoadScales(int part, int half)
    {
        if (!_hasHeader)
            LoadHalves(Scales(half), QuantBytes(), half);
        else
            LoadScaled(Scales(half), QuantBytes() + part * Outputs, half, ScaleOfScales(half));
    }

    /// <summary>Bytes times what scales them: signed ones only in q6_k.</summary>
    void LoadScaled(AssemblerRegisterZMM floats, int offset, int half, AssemblerRegisterZMM scale)
    {
        AssemblerMemoryOperand bytes = __xmmword_ptr[_weights + offset + half * Vector / 4];
        if (kind.Scales == DotScales.ScaledSixteens)
            _code.vpmovsxbd(floats, bytes);
        else
            _code.vpmovzxbd(floats, bytes);
        _code.vcvtdq2ps(floats, floats);
        _code.vmulps(floats, floats, scale);
    }

    void AddMinimums()
    {
        for (int half = 0; half < Halves; half++)
            if (_hasHeader)
                LoadScaled(Scales(half), QuantBytes() + Outputs, half, ScaleOfMinimums(half));
            else
                LoadHalves(Scales(half), QuantBytes() + Outputs * sizeof(ushort), half);
        for (int token = 0; token < tokens; token++)
            for (int half = 0; half < Halves; half++)
                _code.vfmadd231ps(Sum(token, half), Scales(half), __dword_bcst[_x + tokens * QuantizedRows.ScaledSums + token * sizeof(float)]);
    }

    AssemblerMemoryOperand Quants(int offset, int half) => __zmmword_ptr[_weights + offset + half * Vector];
    static AssemblerRegisterZMM Integers(int token, int half) => Zmm(token * Halves + half);
    AssemblerRegisterZMM Sum(int token, int half) => Zmm((tokens + token) * Halves + half);
    static AssemblerRegisterZMM ScaleOfScales(int half) => Zmm(16 + half);
    static AssemblerRegisterZMM ScaleOfMinimums(int half) => Zmm(18 + half);
    static AssemblerRegisterZMM Upper(int half) => Zmm(22 + half);
    static AssemblerRegisterZMM Weights(int half) => Zmm(24 + half);
    static AssemblerRegisterZMM Activations(int token) => Zmm(26 + token % 2);
    static AssemblerRegisterZMM Scales(int half) => Zmm(28 + half);
    static AssemblerRegisterZMM Product(int half) => Zmm(30 + half);
    static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
}
