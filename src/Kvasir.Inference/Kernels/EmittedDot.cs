using System.Runtime.Intrinsics.X86;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// <see cref="DotKernel"/> with AVX-512 VNNI, whose <c>vpdpbusd</c> multiplies 64 bytes at once. .NET has no intrinsic for it, so the machine code is
/// assembled when the first engine starts: a routine for each kind of weights and number of tokens, all sums in registers.
/// </summary>
sealed unsafe class EmittedDot : DotKernel
{
    const int ScaleKinds = 3;

    static readonly Lazy<EmittedDot?> s_instance = new(TryCreate);

    // Bytes come from any type's unpacking, the rest are types as they are stored.
    static readonly DotKind[] s_kinds =
    [
        new(DotQuants.Bytes, DotScales.Plain, 128), new(DotQuants.Bytes, DotScales.WithMinimums, 128), new(DotQuants.Bytes, DotScales.Sixteens, 128),
        new(DotQuants.FourBits, DotScales.Plain, 8), new(DotQuants.FourBits, DotScales.WithMinimums, 0),
        new(DotQuants.FiveBits, DotScales.Plain, 16), new(DotQuants.FiveBits, DotScales.WithMinimums, 0),
        new(DotQuants.SixBits, DotScales.Sixteens, 32),
    ];

    readonly nint[] _routines = new nint[Enum.GetValues<DotQuants>().Length * ScaleKinds * QuantizedRows.Tile];

    EmittedDot()
    {
        using MemoryStream code = new();
        List<(int Routine, int Offset)> offsets = [];
        foreach (DotKind kind in s_kinds)
            for (int tokens = 1; tokens <= QuantizedRows.Tile; tokens++)
            {
                offsets.Add((Index(kind, tokens), (int)code.Position));
                new DotRoutine(kind, tokens).Assemble(code);
            }
        var memory = new ExecutableMemory(code.ToArray());
        foreach ((int routine, int offset) in offsets)
            _routines[routine] = memory.Address(offset);
    }

    /// <summary>The kernel, or null where the machine lacks the instructions, the calling convention is another or the system forbids new code.</summary>
    public static EmittedDot? Instance => s_instance.Value;

    public override bool UnpacksInRegisters => true;

    public override void Run(ref DotOperands operands, DotKind kind, int tokens)
    {
        nint routine = _routines[Index(kind, tokens)];
        fixed (DotOperands* pointer = &operands)
            ((delegate* unmanaged[SuppressGCTransition]<DotOperands*, void>)routine)(pointer); // well below a microsecond
    }

    static int Index(DotKind kind, int tokens) => ((int)kind.Quants * ScaleKinds + (int)kind.Scales) * QuantizedRows.Tile + tokens - 1;

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
}
