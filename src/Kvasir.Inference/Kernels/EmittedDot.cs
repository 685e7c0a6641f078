using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using Kvasir.Inference.Kernels.Panels;
using static Iced.Intel.AssemblerRegisters;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// <see cref="DotKernel"/> with AVX-512 VNNI, whose <c>vpdpbusd</c> multiplies 64 bytes at once. .NET has no intrinsic for it, so the machine code is
/// assembled when the first engine starts: a routine for each kind of weights and number of tokens, all sums in registers.
/// </summary>
sealed unsafe class EmittedDot : DotKernel
{
    const int Halves = 2, Vector = 64; // a panel is two vectors of sixteen outputs
    const int Quads = 8, QuadBytes = QuantizedPanels.GroupBytes / Quads, ScaleBytes = QuantizedPanels.PanelOutputs * sizeof(float);

    static readonly Lazy<EmittedDot?> s_instance = new(TryCreate);

    readonly nint[] _routines = new nint[Enum.GetValues<DotKind>().Length * QuantizedRows.Tile];

    EmittedDot()
    {
        using MemoryStream code = new();
        int[] offsets = new int[_routines.Length];
        for (int i = 0; i < offsets.Length; i++)
        {
            offsets[i] = (int)code.Position;
            new Routine((DotKind)(i / QuantizedRows.Tile), i % QuantizedRows.Tile + 1).Assemble(code);
        }
        var memory = new ExecutableMemory(code.ToArray());
        for (int i = 0; i < offsets.Length; i++)
            _routines[i] = memory.Address(offsets[i]);
    }

    /// <summary>The kernel, or null where the machine lacks the instructions, the calling convention is another or the system forbids new code.</summary>
    public static EmittedDot? Instance => s_instance.Value;

    public override void Run(ref DotOperands operands, DotKind kind, int tokens)
    {
        nint routine = _routines[(int)kind * QuantizedRows.Tile + tokens - 1];
        fixed (DotOperands* pointer = &operands)
            ((delegate* unmanaged[SuppressGCTransition]<DotOperands*, void>)routine)(pointer); // well below a microsecond
    }

    static EmittedDot? TryCreate()
    {
        const int structuredFeatures = 7, vnni = 1 << 11;
        if (OperatingSystem.IsWindows() || !Avx512BW.IsSupported || (X86Base.CpuId(structuredFeatures, 0).Ecx & vnni) == 0)
            return null;
        try
        {
            return new EmittedDot();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// The code for one kind and number of tokens. Registers: zmm0.. integer sums [token][half], then float sums [token][half]; 24 and 25 weights;
    /// 26 and 27 activations; 28 and 29 scales; 30 and 31 products of scales.
    /// </summary>
    sealed class Routine(DotKind kind, int tokens)
    {
        readonly Assembler _code = new(64);
        readonly AssemblerRegister64 _quants = rax, _scales = rcx, _minimums = rdx, _x = rsi, _y = r8, _stride = r9, _groups = r10, _row = r11;
        readonly int _parts = kind == DotKind.ScaledSixteens ? 2 : 1;

        public void Assemble(Stream stream)
        {
            LoadOperands();
            EachSum((token, half) => _code.vmovups(Sum(token, half), __zmmword_ptr[_row + half * Vector]));
            Label next = _code.CreateLabel();
            _code.Label(ref next);
            for (int part = 0; part < _parts; part++)
            {
                StartIntegers(part);
                for (int quad = part * Quads / _parts; quad < (part + 1) * Quads / _parts; quad++)
                    MultiplyQuad(quad);
                AddScaled(part);
            }
            if (kind == DotKind.WithMinimums)
                AddMinimums();
            _code.add(_quants, QuantizedPanels.GroupBytes);
            _code.add(_scales, _parts * ScaleBytes);
            _code.add(_x, tokens * QuantizedRows.GroupBytes);
            _code.dec(_groups);
            _code.jne(next);
            EachSum((token, half) => _code.vmovups(__zmmword_ptr[_row + half * Vector], Sum(token, half)));
            _code.vzeroupper();
            _code.ret();
            _code.Assemble(new StreamCodeWriter(stream), 0);
        }

        void LoadOperands()
        {
            AssemblerRegister64[] fields = [_quants, _scales, _minimums, _x, _y, _stride, _groups]; // in the order of DotOperands
            for (int i = 0; i < fields.Length; i++)
                _code.mov(fields[i], __qword_ptr[rdi + i * sizeof(long)]);
        }

        void EachSum(Action<int, int> move)
        {
            _code.mov(_row, _y);
            for (int token = 0; token < tokens; token++)
            {
                for (int half = 0; half < Halves; half++)
                    move(token, half);
                _code.add(_row, _stride);
            }
        }

        void StartIntegers(int part)
        {
            int offsets = _parts == 2 ? QuantizedRows.HalfOffsets + part * sizeof(int) : QuantizedRows.Offsets;
            for (int token = 0; token < tokens; token++)
            {
                _code.vpbroadcastd(Integers(token, 0), __dword_ptr[_x + tokens * offsets + token * sizeof(int)]);
                _code.vmovdqa64(Integers(token, 1), Integers(token, 0));
            }
        }

        void MultiplyQuad(int quad)
        {
            for (int half = 0; half < Halves; half++)
                _code.vmovdqu8(Weights(half), __zmmword_ptr[_quants + quad * QuadBytes + half * Vector]);
            for (int token = 0; token < tokens; token++)
            {
                _code.vpbroadcastd(Activations(token), __dword_ptr[_x + (quad * tokens + token) * sizeof(int)]);
                for (int half = 0; half < Halves; half++)
                    _code.vpdpbusd(Integers(token, half), Weights(half), Activations(token));
            }
        }

        void AddScaled(int part)
        {
            for (int half = 0; half < Halves; half++)
                _code.vmovups(Scales(half), __zmmword_ptr[_scales + part * ScaleBytes + half * Vector]);
            for (int token = 0; token < tokens; token++)
                for (int half = 0; half < Halves; half++)
                {
                    _code.vcvtdq2ps(Integers(token, half), Integers(token, half));
                    _code.vmulps(Product(half), Scales(half), __dword_bcst[_x + tokens * QuantizedRows.Scales + token * sizeof(float)]);
                    _code.vfmadd231ps(Sum(token, half), Integers(token, half), Product(half));
                }
        }

        void AddMinimums()
        {
            for (int half = 0; half < Halves; half++)
                _code.vmovups(Scales(half), __zmmword_ptr[_minimums + half * Vector]);
            for (int token = 0; token < tokens; token++)
                for (int half = 0; half < Halves; half++)
                    _code.vfmadd231ps(Sum(token, half), Scales(half), __dword_bcst[_x + tokens * QuantizedRows.ScaledSums + token * sizeof(float)]);
            _code.add(_minimums, ScaleBytes);
        }

        static AssemblerRegisterZMM Integers(int token, int half) => Zmm(token * Halves + half);
        AssemblerRegisterZMM Sum(int token, int half) => Zmm((tokens + token) * Halves + half);
        static AssemblerRegisterZMM Weights(int half) => Zmm(24 + half);
        static AssemblerRegisterZMM Activations(int token) => Zmm(26 + token % 2);
        static AssemblerRegisterZMM Scales(int half) => Zmm(28 + half);
        static AssemblerRegisterZMM Product(int half) => Zmm(30 + half);
        static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
    }
}
