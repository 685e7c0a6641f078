using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>What an emitted routine works on; it reads the fields by their order.</summary>
unsafe struct DotOperands
{
    public byte* Blocks; // of a panel
    public byte* X; // groups of a tile of activations, see QuantizedRows
    public float* Start; // [tokens][32 outputs]: what the sums start from
    public nint StartStride; // bytes from one token to the next
    public float* Y; // [tokens][32 outputs]: the sums
    public nint YStride; // likewise
    public nint Count; // blocks, at least 1
    public byte* Constants; // see QuantizedPanels.Constants

    public const int ConstantsAt = 7 * sizeof(long);
}

/// <summary>
/// <see cref="DotKernel"/> with AVX-512 VNNI, whose <c>vpdpbusd</c> multiplies 64 bytes at once. .NET has no intrinsic for it, so the
/// machine code is assembled: a routine for each kind of weights and number of tokens, when it is first called, since a model needs few of
/// them. Weights are unpacked in registers: one stream from memory and nothing else.
/// </summary>
sealed unsafe class EmittedDot : DotKernel
{
    const int GroupsAtOnce = 32; // of many tokens: a stretch of the panel that stays in the nearest cache
    const byte Return = 0xC3;

    static readonly Lazy<EmittedDot?> s_instance = new(TryCreate);

    static readonly int s_scaleKinds = Enum.GetValues<DotScales>().Length;

    readonly Lock _assembling = new();
    readonly nint[] _routines = new nint[Enum.GetValues<DotQuants>().Length * s_scaleKinds * QuantizedRows.Tile]; // 0: not assembled yet
    nint _halves;

    EmittedDot() { }

    /// <summary>
    /// The kernel, or null where the machine lacks the instructions, the calling convention is another or the system forbids new code.
    /// </summary>
    public static EmittedDot? Instance => s_instance.Value;

    public override void Multiply(in RowsProduct product, int first, int end, MatMulScratch own)
    {
        for (int panel = first; panel < end; panel++)
            Multiply(product, panel, product.Start(panel, own), product.Outputs(panel), product.YStride * sizeof(float));
    }

    void Multiply(in RowsProduct product, int panel, float* start, float* y, nint yStride)
    {
        (PackedMatrix w, int tokens) = (product.W, product.Rows);
        var format = (QuantizedPanels)w.Format;
        int groups = QuantizedRows.Groups(w.Columns), atOnce = tokens <= QuantizedRows.Tile ? groups : GroupsAtOnce;
        DotOperands operands = new() { YStride = yStride, Constants = format.Constants };
        for (int group = 0; group < groups; group += atOnce)
        {
            operands.Blocks = format.Block(w.Panel(panel), group);
            operands.Count = Math.Min(atOnce, groups - group) / format.BlockGroups;
            for (int tile = 0; tile < QuantizedRows.Tiles(tokens); tile++)
            {
                int inTile = QuantizedRows.TokensOf(tile, tokens);
                operands.X = product.Quantized![product.Tile + tile] + (long)group * inTile * QuantizedRows.GroupBytes;
                operands.Y = (float*)((byte*)y + tile * QuantizedRows.Tile * yStride);
                operands.Start = group == 0 ? start : operands.Y;
                operands.StartStride = group == 0 ? 0 : yStride;
                // some microseconds, for which a garbage collection waits
                ((delegate* unmanaged[SuppressGCTransition]<DotOperands*, void>)Routine(format.Kind, inTile))(&operands);
            }
        }
    }

    public override bool MultiplyAddHalves(byte* panel, int columns, float* x, float* y)
    {
        nint halves = Volatile.Read(ref _halves);
        if (halves == 0)
            halves = Assemble(ref _halves, HalvesRoutine.Assemble);
        ((delegate* unmanaged[SuppressGCTransition]<byte*, nint, float*, float*, void>)halves)(panel, columns, x, y);
        return true;
    }

    nint Routine(DotKind kind, int tokens)
    {
        ref nint routine = ref _routines[((int)kind.Quants * s_scaleKinds + (int)kind.Scales) * QuantizedRows.Tile + tokens - 1];
        nint address = Volatile.Read(ref routine);
        return address != 0 ? address : Assemble(ref routine, new DotRoutine(kind, tokens).Assemble);
    }

    nint Assemble(ref nint routine, Func<byte[]> code)
    {
        lock (_assembling)
        {
            if (routine == 0)
                Volatile.Write(ref routine, new ExecutableMemory(code()).Address);
            return routine;
        }
    }

    static EmittedDot? TryCreate()
    {
        const int structuredFeatures = 7, vnni = 1 << 11;
        if (OperatingSystem.IsWindows() || !Avx512BW.IsSupported || (X86Base.CpuId(structuredFeatures, 0).Ecx & vnni) == 0)
            return null;
        try
        {
            _ = new ExecutableMemory([Return]); // what the system forbids, it forbids here
            return new EmittedDot();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            return null;
        }
    }
}
