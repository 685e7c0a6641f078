using System.Numerics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Kernels.Panels;
using static Kvasir.Inference.Kernels.Operand;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Assembles the code of <see cref="EmittedDot"/> for one kind of weights and number of tokens. Registers: zmm0.. integer sums
/// [token][half], then float sums [token][half]; 16 and 17 what scales the scales, 18 and 19 what scales the minimums; 20 and 21 masks,
/// or 21 a table and 22 a factor, or for scales that are exponents 16 and 17 what is added to their bits; 22 and 23 upper bits; 24 and 25
/// weights; 26 and 27 activations; 28 and 29 scales; 30 and 31 products of scales.
/// </summary>
sealed class DotRoutine(DotKind kind, int tokens)
{
    const int Halves = 2, Vector = 64, Outputs = QuantizedPanels.PanelOutputs; // a panel is two vectors of sixteen outputs
    const int Quads = 8, QuadBytes = QuantizedPanels.UnpackedBytes / Quads;
    const int UpperBits = FourBits.PackedBytes; // they follow the nibbles
    const int BlockGroups = 8; // of k-quants

    static readonly Operand s_lowMask = Zmm(20), s_upperMask = Zmm(21), s_table = Zmm(21), s_factor = Zmm(22),
        s_minusExponent = Zmm(16), s_quarterExponent = Zmm(17);

    /// <summary>
    /// How many bytes ahead memory is asked for. Zen 5 does not look far enough ahead by itself where few bytes mean much work; Zen 4 does,
    /// and reads a third less when it is asked besides.
    /// </summary>
    static readonly int s_ahead = IsZen5 ? 4096 : 0;

    readonly Avx512Assembler _code = new();
    readonly Register _weights = Rax, _x = Rsi, _start = Rcx, _startStride = Rdx, _y = R8, _stride = R9, _blocks = R10, _row = R11;
    readonly Register _groups = Rcx; // the start is needed at the start only
    readonly int _parts = kind.Parts;
    readonly bool _hasHeader = kind.Scales is not (DotScales.Halves or DotScales.HalvesWithMinimums or DotScales.Exponents);

    public byte[] Assemble()
    {
        LoadMasks();
        LoadOperands();
        EachSum(_start, _startStride, (token, half) => _code.Vmovups(Sum(token, half), At(_row, half * Vector)));
        Repeat(_blocks, () =>
        {
            if (!_hasHeader)
            {
                MultiplyGroup();
                return;
            }
            LoadHeader();
            _code.Mov(_groups, BlockGroups);
            Repeat(_groups, MultiplyGroup);
        });
        EachSum(_y, _stride, (token, half) => _code.Vmovups(At(_row, half * Vector), Sum(token, half)));
        _code.Vzeroupper();
        _code.Ret();
        return _code.ToArray();
    }

    void Repeat(Register counter, Action body)
    {
        int next = _code.Position;
        body();
        _code.Dec(counter);
        _code.Jne(next);
    }

    void MultiplyGroup()
    {
        for (int part = 0; part < _parts; part++)
        {
            StartIntegers(part);
            for (int quad = part * Quads / _parts; quad < (part + 1) * Quads / _parts; quad++)
                MultiplyQuad(quad);
            AddScaled(part);
            if (_parts == 2 && kind.HasMinimums)
                AddMinimumsOfPart(part);
        }
        if (_parts == 1 && kind.HasMinimums)
            AddMinimums();
        _code.Add(_weights, QuantBytes() + ScaleBytes);
        _code.Add(_x, tokens * QuantizedRows.GroupBytes);
    }

    int ScaleBytes => kind.Scales switch
    {
        DotScales.ScaledSigned or DotScales.Exponents => Outputs,
        DotScales.HalvesWithMinimums or DotScales.ScaledSixteensWithMinimums => 4 * Outputs,
        _ => 2 * Outputs,
    };

    int QuantBytes() => kind.Quants switch
    {
        DotQuants.TwoBits => TwoBits.PackedBytes,
        DotQuants.ThreeBits => TwoBits.PackedBytes + QuadBytes,
        DotQuants.FourBits or DotQuants.Choices => FourBits.PackedBytes,
        DotQuants.FiveBits => FourBits.PackedBytes + QuadBytes,
        DotQuants.SixBits => FourBits.PackedBytes + 2 * QuadBytes,
        _ => QuantizedPanels.UnpackedBytes,
    };

    /// <summary>Halves that scale the scales and, negated, the minimums of the block.</summary>
    void LoadHeader()
    {
        for (int half = 0; half < Halves; half++)
            LoadHalves(ScaleOfScales(half), 0, half);
        for (int half = 0; half < Halves && kind.Scales == DotScales.ScaledSigned; half++)
            _code.Vmulps(ScaleOfScales(half), ScaleOfScales(half), s_factor);
        if (kind.HasMinimums)
            for (int half = 0; half < Halves; half++)
            {
                LoadHalves(ScaleOfMinimums(half), Outputs * sizeof(ushort), half);
                if (_parts == 2)
                    continue; // what they are multiplied with is negated
                _code.Vpxord(Product(half), Product(half), Product(half));
                _code.Vsubps(ScaleOfMinimums(half), Product(half), ScaleOfMinimums(half));
            }
        _code.Add(_weights, Outputs * sizeof(ushort) * (kind.HasMinimums ? 2 : 1));
    }

    void LoadHalves(Operand floats, int offset, int half) => _code.Vcvtph2ps(floats, At(_weights, offset + half * Vector / 2));

    void LoadMasks()
    {
        _code.Mov(Rax, HasPairs ? 0x03030303 : 0x0F0F0F0F);
        _code.Vpbroadcastd(s_lowMask, Rax);
        if (kind.Scales == DotScales.Exponents)
            LoadExponents();
        if (kind.Quants == DotQuants.Choices)
        {
            _code.Mov(Rax, At(Rdi, DotOperands.ConstantsAt));
            _code.Vmovups(s_table, At(Rax));
            _code.Vbroadcastss(s_factor, At(Rax, Vector));
            return;
        }
        _code.Mov(Rax, kind.Quants switch { DotQuants.SixBits => 0x30303030, DotQuants.ThreeBits => 0x04040404, _ => 0x10101010 });
        _code.Vpbroadcastd(s_upperMask, Rax);
    }

    /// <summary>What <see cref="LoadPowers"/> adds: minus one exponent, and plus a quarter of one.</summary>
    void LoadExponents()
    {
        _code.Mov(Rax, 1 << 23);
        _code.Vpbroadcastd(s_minusExponent, Rax);
        _code.Vpxord(Product(0), Product(0), Product(0));
        _code.Vpsubd(s_minusExponent, Product(0), s_minusExponent);
        _code.Mov(Rax, 1 << 21);
        _code.Vpbroadcastd(s_quarterExponent, Rax);
    }

    bool HasPairs => kind.Quants is DotQuants.TwoBits or DotQuants.ThreeBits;

    void LoadOperands()
    {
        Register[] fields = [_weights, _x, _start, _startStride, _y, _stride, _blocks]; // in the order of DotOperands
        for (int i = 0; i < fields.Length; i++)
            _code.Mov(fields[i], At(Rdi, i * sizeof(long)));
    }

    void EachSum(Register rows, Register stride, Action<int, int> move)
    {
        _code.Mov(_row, rows);
        for (int token = 0; token < tokens; token++)
        {
            for (int half = 0; half < Halves; half++)
                move(token, half);
            _code.Add(_row, stride);
        }
    }

    /// <summary>Integer sums begin with −zero · Σ x; the activations hold it for a zero of 128.</summary>
    void StartIntegers(int part)
    {
        int offsets = _parts == 2 ? QuantizedRows.HalfOffsets + part * sizeof(int) : QuantizedRows.Offsets;
        for (int token = 0; token < tokens; token++)
        {
            if (kind.Zero == 0)
                _code.Vpxord(Integers(token, 0), Integers(token, 0), Integers(token, 0));
            else
                _code.Vpbroadcastd(Integers(token, 0), At(_x, tokens * offsets + token * sizeof(int)));
            if (kind.Zero is not (0 or QuantizedPanels.Zero))
                _code.Vpsrad(Integers(token, 0), Integers(token, 0), (byte)BitOperations.Log2((uint)(QuantizedPanels.Zero / kind.Zero)));
            _code.Vmovdqa64(Integers(token, 1), Integers(token, 0));
        }
    }

    void MultiplyQuad(int quad)
    {
        if (s_ahead > 0 && tokens < QuantizedRows.Tile && kind.Quants != DotQuants.Bytes)
            Prefetch(quad);
        for (int half = 0; half < Halves; half++)
            LoadWeights(quad, half);
        for (int token = 0; token < tokens; token++)
        {
            _code.Vpbroadcastd(Activations(token), At(_x, (quad * tokens + token) * sizeof(int)));
            for (int half = 0; half < Halves; half++)
                _code.Vpdpbusd(Integers(token, half), Weights(half), Activations(token));
        }
    }

    static bool IsZen5
    {
        get
        {
            const int baseFamily = 0xF, zen5 = 0x1A;
            int signature = X86Base.IsSupported ? X86Base.CpuId(1, 0).Eax : 0; // only AMD has a family of its own for each generation
            return (signature >> 8 & baseFamily) + (signature >> 20 & 0xFF) == zen5;
        }
    }

    /// <summary>Asks for a quad's share of the memory ahead.</summary>
    void Prefetch(int quad)
    {
        int lines = (QuantBytes() + ScaleBytes) / Vector;
        for (int line = quad; line < lines; line += Quads)
            _code.Prefetcht0(At(_weights, s_ahead + line * Vector));
    }

    void LoadWeights(int quad, int half)
    {
        int pair = quad % (Quads / 2);
        if (kind.Quants == DotQuants.Bytes)
            _code.Vmovdqu8(Weights(half), Quants(quad * QuadBytes, half));
        else
            LoadLow(half, Quants((HasPairs ? quad / 4 : pair) * QuadBytes, half), HasPairs ? 2 * pair : quad - pair);
        if (kind.Quants == DotQuants.FiveBits)
            AddUpperBits(half, Quants(UpperBits, half), 4 - quad);
        else if (kind.Quants == DotQuants.SixBits)
            AddUpperBits(half, Quants(UpperBits + quad / 4 * QuadBytes, half), 4 - 2 * pair);
        else if (kind.Quants == DotQuants.ThreeBits)
            AddUpperBits(half, Quants(TwoBits.PackedBytes, half), 2 - quad);
        else if (kind.Quants == DotQuants.Choices)
            _code.Vpshufb(Weights(half), s_table, Weights(half));
    }

    /// <summary>The lower bits of a quad, which stand so many bits up.</summary>
    void LoadLow(int half, Operand stored, int up)
    {
        if (up == 0)
        {
            _code.Vpandd(Weights(half), s_lowMask, stored);
            return;
        }
        _code.Vpsrlw(Weights(half), stored, up);
        _code.Vpandd(Weights(half), Weights(half), s_lowMask);
    }

    /// <summary>Brings a quad's upper bits to their place, from so many bits below it, and sets them.</summary>
    void AddUpperBits(int half, Operand stored, int below)
    {
        const byte aOrBAndC = 0xF8;
        if (below >= 0)
            _code.Vpsllw(Upper(half), stored, (byte)below);
        else
            _code.Vpsrlw(Upper(half), stored, (byte)-below);
        _code.Vpternlogd(Weights(half), Upper(half), s_upperMask, aOrBAndC);
    }

    void AddScaled(int part)
    {
        for (int half = 0; half < Halves; half++)
            LoadScales(part, half);
        for (int token = 0; token < tokens; token++)
            for (int half = 0; half < Halves; half++)
            {
                _code.Vcvtdq2ps(Integers(token, half), Integers(token, half));
                _code.Vmulps(Product(half), Scales(half), InAllLanes(_x, tokens * QuantizedRows.Scales + token * sizeof(float)));
                _code.Vfmadd231ps(Sum(token, half), Integers(token, half), Product(half));
            }
    }

    void LoadScales(int part, int half)
    {
        if (kind.Scales == DotScales.Exponents)
            LoadPowers(Scales(half), QuantBytes(), half);
        else if (!_hasHeader)
            LoadHalves(Scales(half), QuantBytes(), half);
        else
            LoadScaled(Scales(half), QuantBytes() + part * Outputs, half, ScaleOfScales(half));
    }

    /// <summary>The floats 2^(e - 128), see <see cref="MXFP4.ScaleBits"/>.</summary>
    void LoadPowers(Operand floats, int offset, int half)
    {
        Operand small = Product(0);
        _code.Vpmovzxbd(floats, At(_weights, offset + half * Vector / 4));
        _code.Vpslld(small, floats, 21);
        _code.Vpslld(floats, floats, 23);
        _code.Vpaddd(small, small, s_quarterExponent);
        _code.Vpaddd(floats, floats, s_minusExponent);
        _code.Vpmaxsd(floats, floats, small);
    }

    /// <summary>Bytes times what scales them: signed ones only where there are no minimums.</summary>
    void LoadScaled(Operand floats, int offset, int half, Operand scale)
    {
        Operand bytes = At(_weights, offset + half * Vector / 4);
        if (!kind.HasMinimums)
            _code.Vpmovsxbd(floats, bytes);
        else
            _code.Vpmovzxbd(floats, bytes);
        _code.Vcvtdq2ps(floats, floats);
        _code.Vmulps(floats, floats, scale);
    }

    /// <summary>For sixteen inputs: the activations hold −128 · Σ q of either half.</summary>
    void AddMinimumsOfPart(int part)
    {
        const int bitsOf128 = 7;
        for (int half = 0; half < Halves; half++)
            LoadScaled(Scales(half), QuantBytes() + (2 + part) * Outputs, half, ScaleOfMinimums(half));
        for (int token = 0; token < tokens; token++)
        {
            Operand sum = Product(0);
            _code.Vpbroadcastd(sum, At(_x, tokens * (QuantizedRows.HalfOffsets + part * sizeof(int)) + token * sizeof(int)));
            _code.Vpsrad(sum, sum, bitsOf128);
            _code.Vcvtdq2ps(sum, sum);
            _code.Vmulps(sum, sum, InAllLanes(_x, tokens * QuantizedRows.Scales + token * sizeof(float)));
            for (int half = 0; half < Halves; half++)
                _code.Vfmadd231ps(Sum(token, half), Scales(half), sum);
        }
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
                _code.Vfmadd231ps(Sum(token, half), Scales(half),
                    InAllLanes(_x, tokens * QuantizedRows.ScaledSums + token * sizeof(float)));
    }

    Operand Quants(int offset, int half) => At(_weights, offset + half * Vector);
    static Operand Integers(int token, int half) => Zmm(token * Halves + half);
    Operand Sum(int token, int half) => Zmm((tokens + token) * Halves + half);
    static Operand ScaleOfScales(int half) => Zmm(16 + half);
    static Operand ScaleOfMinimums(int half) => Zmm(18 + half);
    static Operand Upper(int half) => Zmm(22 + half);
    static Operand Weights(int half) => Zmm(24 + half);
    static Operand Activations(int token) => Zmm(26 + token % 2);
    static Operand Scales(int half) => Zmm(28 + half);
    static Operand Product(int half) => Zmm(30 + half);
}
