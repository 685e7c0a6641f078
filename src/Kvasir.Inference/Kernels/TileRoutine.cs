using Kvasir.Inference.Kernels.Panels;
using static Kvasir.Inference.Kernels.Operand;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Inference.Kernels;

/// <summary>Which routine multiplies with tiles.</summary>
/// <param name="Parts">Parts of a group with a scale of their own, 1 or 2.</param>
/// <param name="HasMinimums">Whether weights have them.</param>
/// <param name="Tokens">Of a tile, at most <see cref="QuantizedRows.RowTile"/>.</param>
readonly record struct TileKind(int Parts, bool HasMinimums, int Tokens)
{
    // The tiles that a routine uses: of activations, and for each half of the panel's outputs of sums and of weights.
    public const int Activations = 4;

    public static int Sums(int half) => half;

    public static int Weights(int half) => 5 + half;

    /// <summary>A tile of weights is a part's quads; each row of it sixteen outputs, as is one of sums.</summary>
    public void Shape(ref TileShapes shapes)
    {
        shapes.Set(Activations, Tokens, QuantizedPanels.Group / Parts);
        for (int half = 0; half < 2; half++)
        {
            shapes.Set(Sums(half), Tokens, 64);
            shapes.Set(Weights(half), QuantizedPanels.Group / 4 / Parts, 64);
        }
    }
}

/// <summary>
/// Assembles the code of <see cref="TileDot"/>. While tiles multiply a part of a group and are stored, vectors convert, scale and add the
/// part before. Registers: zmm0.. float sums [token][half]; 24 and 25 scales or minimums; 26 what belongs to a token; 27 and 28 products of
/// scales; 29 and 30 integer sums; 31 zero.
/// </summary>
sealed class TileRoutine(TileKind kind)
{
    const int Halves = 2, Vector = 64, HalfBytes = PanelScratch.TileBytes / Halves, ScaleBytes = Halves * Vector;
    const int Line = 32; // bytes of a token's quants in a group

    static readonly Operand s_ofToken = Zmm(26), s_zero = Zmm(31);

    readonly Avx512Assembler _code = new();
    readonly Register _weights = Rax, _scales = Rcx, _minimums = Rdx, _x = Rsi, _operands = Rdi, _groups = R10;
    readonly Register _sums = R11, _nextSums = R8; // memory for what tiles held
    readonly Register _line = R9; // 32, of which twice and four times are the other strides
    readonly Register _row = R8, _stride = R9; // before and after the groups

    public byte[] Assemble()
    {
        _code.Ldtilecfg(At(_operands, TileOperands.ShapesAt));
        _code.Vpxord(s_zero, s_zero, s_zero);
        int nextTile = _code.Position;
        EachSum((token, half) => _code.Vmovups(Sum(token, half), At(_row, half * Vector)));
        LoadOperands();
        MultiplyGroups();
        EachSum((token, half) => _code.Vmovups(At(_row, half * Vector), Sum(token, half)));
        _code.Mov(At(_operands, TileOperands.YAt), _row); // where the walk has come to: the next tile
        _code.Mov(_x, At(_operands, TileOperands.XAt));
        _code.Add(_x, At(_operands, TileOperands.XStrideAt));
        _code.Mov(At(_operands, TileOperands.XAt), _x);
        _code.Dec(At(_operands, TileOperands.TilesAt));
        _code.Jne(nextTile);
        _code.Tilerelease();
        _code.Vzeroupper();
        _code.Ret();
        return _code.ToArray();
    }

    void EachSum(Action<int, int> move)
    {
        _code.Mov(_row, At(_operands, TileOperands.YAt));
        _code.Mov(_stride, At(_operands, TileOperands.YStrideAt));
        for (int token = 0; token < kind.Tokens; token++)
        {
            for (int half = 0; half < Halves; half++)
                move(token, half);
            _code.Add(_row, _stride);
        }
    }

    void LoadOperands()
    {
        _code.Mov(_weights, At(_operands, TileOperands.QuantsAt));
        _code.Mov(_scales, At(_operands, TileOperands.ScalesAt));
        _code.Mov(_minimums, At(_operands, TileOperands.MinimumsAt));
        _code.Mov(_x, At(_operands, TileOperands.XAt));
        _code.Mov(_groups, At(_operands, TileOperands.GroupsAt));
        _code.Mov(_sums, At(_operands, TileOperands.SumsAt));
        _code.Mov(_nextSums, At(_operands, TileOperands.SumsAt));
        _code.Add(_nextSums, PanelScratch.TileBytes);
        _code.Mov(_line, Line);
    }

    /// <summary>The last group stands apart: no other follows whose tiles could be multiplied meanwhile.</summary>
    void MultiplyGroups()
    {
        MultiplyPart(0, 0, _sums);
        _code.Dec(_groups);
        int last = _code.Je();
        int next = _code.Position;
        AddGroup(isLast: false);
        _code.Add(_weights, QuantizedPanels.UnpackedBytes);
        _code.Add(_x, GroupBytes);
        _code.Add(_scales, kind.Parts * ScaleBytes);
        if (kind.HasMinimums)
            _code.Add(_minimums, kind.Parts * ScaleBytes);
        _code.Dec(_groups);
        _code.Jne(next);
        _code.Land(last);
        AddGroup(isLast: true);
    }

    void AddGroup(bool isLast)
    {
        for (int part = 0; part < kind.Parts; part++)
        {
            bool another = part + 1 < kind.Parts;
            if (another)
                MultiplyPart(part + 1, 0, _nextSums);
            else if (!isLast)
                MultiplyPart(0, 1, _nextSums);
            AddScaled(part);
            if (kind.HasMinimums)
                AddMinimums(part);
            if (another || !isLast)
                _code.Xchg(_sums, _nextSums);
        }
    }

    /// <summary>Integer sums of a part of this group or a later one, to memory.</summary>
    void MultiplyPart(int part, int group, Register sums)
    {
        _code.Tileloadd(TileKind.Activations, At(_x, group * GroupBytes + part * Line / kind.Parts), _line, 1);
        for (int half = 0; half < Halves; half++)
        {
            int offset = group * QuantizedPanels.UnpackedBytes + part * QuantizedPanels.UnpackedBytes / kind.Parts + half * Vector;
            _code.Tileloadd(TileKind.Weights(half), At(_weights, offset), _line, 4);
            _code.Tilezero(TileKind.Sums(half));
            _code.Tdpbssd(TileKind.Sums(half), TileKind.Activations, TileKind.Weights(half));
        }
        for (int half = 0; half < Halves; half++)
            _code.Tilestored(At(sums, half * HalfBytes), TileKind.Sums(half), _line, 2);
    }

    void AddScaled(int part)
    {
        for (int half = 0; half < Halves; half++)
            _code.Vmovups(Scales(half), At(_scales, part * ScaleBytes + half * Vector));
        for (int token = 0; token < kind.Tokens; token++)
        {
            _code.Vbroadcastss(s_ofToken, OfToken(QuantizedRows.Scales, token));
            for (int half = 0; half < Halves; half++)
            {
                _code.Vmulps(Product(half), Scales(half), s_ofToken);
                _code.Vcvtdq2ps(Integers(half), At(_sums, half * HalfBytes + token * Vector));
                _code.Vfmadd231ps(Sum(token, half), Integers(half), Product(half));
            }
        }
    }

    /// <summary>Those of a whole group once, with the sum that activations hold for it; those of a part with each part.</summary>
    void AddMinimums(int part)
    {
        for (int half = 0; half < Halves; half++)
            _code.Vmovups(Scales(half), At(_minimums, part * ScaleBytes + half * Vector));
        for (int token = 0; token < kind.Tokens; token++)
        {
            if (kind.Parts == 1)
                _code.Vbroadcastss(s_ofToken, OfToken(QuantizedRows.ScaledSums, token));
            else
                LoadSumOfPart(part, token);
            for (int half = 0; half < Halves; half++)
                _code.Vfmadd231ps(Sum(token, half), Scales(half), s_ofToken);
        }
    }

    /// <summary>Activations hold −128 · Σ q of either half.</summary>
    void LoadSumOfPart(int part, int token)
    {
        const int bitsOf128 = 7;
        _code.Vpbroadcastd(s_ofToken, OfToken(QuantizedRows.HalfOffsets + part * sizeof(int), token));
        _code.Vpsrad(s_ofToken, s_ofToken, bitsOf128);
        _code.Vpsubd(s_ofToken, s_zero, s_ofToken);
        _code.Vcvtdq2ps(s_ofToken, s_ofToken);
        _code.Vmulps(s_ofToken, s_ofToken, InAllLanes(_x, kind.Tokens * QuantizedRows.Scales + token * sizeof(float)));
    }

    int GroupBytes => QuantizedRows.RowGroupBytes(kind.Tokens);

    Operand OfToken(int field, int token) => At(_x, kind.Tokens * field + token * sizeof(float));
    static Operand Sum(int token, int half) => Zmm(token * Halves + half);
    static Operand Scales(int half) => Zmm(24 + half);
    static Operand Product(int half) => Zmm(27 + half);
    static Operand Integers(int half) => Zmm(29 + half);
}
