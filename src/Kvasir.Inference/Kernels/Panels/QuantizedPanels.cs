using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// Panels of quantised weights, in groups of 32 inputs: <c>[quants][scales]</c> of 32 outputs each, and before every eight groups of a
/// k-quant what scales their scales. A weight is <c>scale · (q − zero) + minimum</c>. Bits per weight are those of the file, but for
/// k-quants' scales of scales, which take a byte each instead of four or six bits, and for points of iq3, which become their four
/// numbers: four bits a weight.
/// </summary>
sealed unsafe class QuantizedPanels : PanelFormat
{
    public const int PanelOutputs = 32;

    /// <summary>Inputs of a group: those that activations share a scale over, too.</summary>
    public const int Group = 32;

    /// <summary>Bytes of a group's quants once they are bytes, <c>[8 quads of inputs][32 outputs][4 inputs]</c>.</summary>
    public const int UnpackedBytes = Group * PanelOutputs;

    /// <summary>What <see cref="QuantizedRows"/> lets kernels subtract from each byte.</summary>
    public const int Zero = 128;

    delegate void Unpacking(ReadOnlySpan<byte> row, int group, Span<byte> quants);

    static readonly QuantizedPanels
        s_q8_0 = new(Q8_0.Unpack, new EightBits(), Zero, new HalfScales(hasMinimums: false)),
        s_q4_0 = new(Q4_0.Unpack, new FourBits(), 8, new HalfScales(hasMinimums: false)),
        s_q4_1 = new(Q4_1.Unpack, new FourBits(), 0, new HalfScales(hasMinimums: true)),
        s_q5_0 = new(Q5_0.Unpack, new FiveBitQuants(), 16, new HalfScales(hasMinimums: false)),
        s_q5_1 = new(Q5_1.Unpack, new FiveBitQuants(), 0, new HalfScales(hasMinimums: true)),
        s_q4_k = new(Q4_K.Unpack, new FourBits(), 0, new ScaledScales()),
        s_q5_k = new(Q5_K.Unpack, new FiveBitQuants(), 0, new ScaledScales()),
        s_q2_k = new(Q2_K.Unpack, new TwoBits(), 0, new ScaledSixteensWithMinimums()),
        s_q3_k = new(Q3_K.Unpack, new ThreeBits(), 4, new ScaledParts(2, Q3_K.Scale, Q3_K.ScaleOf)),
        s_q6_k = new(Q6_K.Unpack, new SixBits(), 32, new ScaledParts(2, Q6_K.Scale, Q6_K.ScaleOf)),
        s_iq3_xxs = new(IQ3_XXS.Unpack, new Choices(IQ3_XXS.Values), Zero, new ScaledParts(1, 0, IQ3_XXS.ScaleOf, IQ3_XXS.Factor)),
        s_iq3_s = new(IQ3_S.Unpack, new Choices(IQ3_S.Values), Zero, new ScaledParts(1, 0, IQ3_S.ScaleOf)),
        s_iq4_nl = new(IQ4_NL.Unpack, new Choices(IQ4.Values), Zero, new HalfScales(hasMinimums: false)),
        s_iq4_xs = new(IQ4_XS.Unpack, new Choices(IQ4.Values), Zero, new ScaledParts(1, 0, IQ4_XS.ScaleOf)),
        s_mxfp4 = new(MXFP4.Unpack, new Choices(MXFP4.Values), Zero, new ExponentScales());

    readonly Unpacking _unpack;
    readonly PanelQuants _quants;
    readonly PanelScales _scales;
    readonly int _groupBytes, _blockBytes;

    QuantizedPanels(Unpacking unpack, PanelQuants quants, int zero, PanelScales scales)
    {
        (_unpack, _quants, _scales) = (unpack, quants, scales);
        _groupBytes = quants.GroupBytes + scales.GroupBytes;
        _blockBytes = scales.HeaderBytes + scales.Groups * _groupBytes;
        Kind = new DotKind(quants.Kind, scales.Kind, zero);
        Constants = MakeConstants();
    }

    /// <summary>
    /// What kernels need besides a panel: four times the numbers that choices choose from, then the scales' factor. For as long as the
    /// process lives.
    /// </summary>
    public byte* Constants { get; }

    byte* MakeConstants()
    {
        byte* constants = (byte*)NativeMemory.AlignedAlloc(2 * Alignment, Alignment);
        for (int i = 0; i < Alignment && _quants is Choices; i += Vector128<byte>.Count)
            ((Choices)_quants).Table.Store(constants + i);
        *(float*)(constants + Alignment) = (_scales as ScaledParts)?.Factor ?? 1;
        return constants;
    }

    public override int Outputs => PanelOutputs;

    /// <summary>What the kernels need to know.</summary>
    public DotKind Kind { get; }

    /// <summary>Groups of a block: 1, or 8 behind one header.</summary>
    public int BlockGroups => _scales.Groups;

    public static new QuantizedPanels Of(TensorType type) => type switch
    {
        TensorType.Q8_0 => s_q8_0,
        TensorType.Q4_0 => s_q4_0,
        TensorType.Q4_1 => s_q4_1,
        TensorType.Q5_0 => s_q5_0,
        TensorType.Q5_1 => s_q5_1,
        TensorType.Q2_K => s_q2_k,
        TensorType.Q3_K => s_q3_k,
        TensorType.Q4_K => s_q4_k,
        TensorType.Q5_K => s_q5_k,
        TensorType.Q6_K => s_q6_k,
        TensorType.IQ3_XXS => s_iq3_xxs,
        TensorType.IQ3_S => s_iq3_s,
        TensorType.IQ4_NL => s_iq4_nl,
        TensorType.IQ4_XS => s_iq4_xs,
        TensorType.MXFP4 => s_mxfp4,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a quantised type"),
    };

    public override long Bytes(int columns) => Align((long)columns / Group / BlockGroups * _blockBytes);

    /// <summary>The block that begins with a group.</summary>
    public byte* Block(byte* panel, int group) => panel + (long)group / BlockGroups * _blockBytes;

    public override void Pack(ReadOnlySpan<byte> rows, int rowBytes, int columns, byte* panel)
    {
        for (int row = 0; row < rows.Length / rowBytes; row++)
            PackRow(rows.Slice(row * rowBytes, rowBytes), row, columns / Group, panel);
    }

    void PackRow(ReadOnlySpan<byte> source, int row, int groups, byte* panel)
    {
        Span<byte> quants = stackalloc byte[Group];
        int sourceBlock = source.Length / (groups / BlockGroups);
        for (int first = 0; first < groups; first += BlockGroups)
        {
            byte* block = Block(panel, first), group = block + _scales.HeaderBytes;
            _scales.Pack(source.Slice(first / BlockGroups * sourceBlock, sourceBlock), row, block, group + _quants.GroupBytes, _groupBytes);
            for (int i = 0; i < BlockGroups; i++, group += _groupBytes)
            {
                _unpack(source, first + i, quants);
                _quants.Pack(quants, row, group);
            }
        }
    }

    /// <summary>Makes some groups ready for a product of bytes.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="first">First group, the first of its block.</param>
    /// <param name="groups">How many, whole blocks.</param>
    /// <param name="scratch">Receives scales, minimums and, unless they are bytes already, quants.</param>
    /// <param name="quantStride">Bytes from one group's quants to the next.</param>
    /// <returns>The quants as bytes of <c>q − zero + 128</c>.</returns>
    public byte* Unpack(byte* panel, int first, int groups, PanelScratch scratch, out int quantStride)
    {
        bool inPlace = Kind.Quants == DotQuants.Bytes;
        quantStride = inPlace ? _groupBytes : UnpackedBytes;
        Unpack(panel, first, groups, scratch, inPlace ? null : Zero - Kind.Zero);
        return inPlace ? Block(panel, first) : scratch.Quants;
    }

    /// <summary>Likewise, but to signed bytes of <c>q − zero</c>, which come to the scratch memory in any case.</summary>
    public void UnpackSigned(byte* panel, int first, int groups, PanelScratch scratch) =>
        Unpack(panel, first, groups, scratch, -Kind.Zero);

    void Unpack(byte* panel, int first, int groups, PanelScratch scratch, int? added)
    {
        byte* quants = scratch.Quants;
        float* scales = scratch.Scales, minimums = scratch.Minimums;
        for (int done = 0; done < groups; done += BlockGroups)
        {
            byte* block = Block(panel, first + done), group = block + _scales.HeaderBytes;
            _scales.Unpack(block, group + _quants.GroupBytes, _groupBytes, scales, minimums);
            if (added is { } bias)
                _quants.Unpack(group, _groupBytes, BlockGroups, (byte)bias, quants);
            Prefetch(block + (long)groups / BlockGroups * _blockBytes);
            quants += BlockGroups * UnpackedBytes;
            scales += BlockGroups * _scales.PerGroup * PanelOutputs;
            minimums += BlockGroups * _scales.PerGroup * PanelOutputs;
        }
    }

    /// <summary>
    /// Asks for a block of the next stretch. Between two stretches the product works from the cache, and the hardware, which follows a
    /// stream only while it flows, would start again each time.
    /// </summary>
    void Prefetch(byte* block)
    {
        if (Sse.IsSupported)
            for (int line = 0; line < _blockBytes; line += Alignment)
                Sse.Prefetch0(block + line);
    }
}
