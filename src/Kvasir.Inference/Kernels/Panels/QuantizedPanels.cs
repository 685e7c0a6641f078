using Kvasir.Inference.Formats;
using Kvasir.Inference.Formats.Quantization;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// Panels of quantised weights: first the quants of all inputs, in groups of 32 inputs, then the scales. A weight is <c>scale · (q − zero) + minimum</c>;
/// for the product every quant becomes a byte <c>q − zero + 128</c>, laid out <c>[8 quads of inputs][32 outputs][4 inputs]</c> for each group, and
/// every scale and minimum a float. Bits per weight are those of the file, but for k-quants' scales of scales, which take a byte each instead of six bits.
/// </summary>
sealed unsafe class QuantizedPanels : PanelFormat
{
    public const int PanelOutputs = 32;

    /// <summary>Inputs of a group: those that activations share a scale over, too.</summary>
    public const int Group = 32;

    /// <summary>Bytes of a group once its quants are bytes.</summary>
    public const int GroupBytes = Group * PanelOutputs;

    /// <summary>What the kernels subtract from each byte.</summary>
    public const int Zero = 128;

    delegate void Unpacking(ReadOnlySpan<byte> row, int group, Span<byte> quants);

    static readonly QuantizedPanels
        s_q8_0 = new(Q8_0.Unpack, new EightBits(), Zero, new HalfScales(TensorType.Q8_0, hasMinimums: false)),
        s_q4_0 = new(Q4_0.Unpack, new FourBits(), 8, new HalfScales(TensorType.Q4_0, hasMinimums: false)),
        s_q4_1 = new(Q4_1.Unpack, new FourBits(), 0, new HalfScales(TensorType.Q4_1, hasMinimums: true)),
        s_q5_0 = new(Q5_0.Unpack, new FiveBitQuants(), 16, new HalfScales(TensorType.Q5_0, hasMinimums: false)),
        s_q5_1 = new(Q5_1.Unpack, new FiveBitQuants(), 0, new HalfScales(TensorType.Q5_1, hasMinimums: true)),
        s_q4_k = new(Q4_K.Unpack, new FourBits(), 0, new ScaledScales(TensorType.Q4_K)),
        s_q5_k = new(Q5_K.Unpack, new FiveBitQuants(), 0, new ScaledScales(TensorType.Q5_K)),
        s_q6_k = new(Q6_K.Unpack, new SixBits(), 32, new ScaledSixteens());

    readonly Unpacking _unpack;
    readonly PanelQuants _quants;
    readonly PanelScales _scales;

    QuantizedPanels(Unpacking unpack, PanelQuants quants, int zero, PanelScales scales)
    {
        (_unpack, _quants, _scales) = (unpack, quants, scales);
        Packed = new DotKind(quants.Kind, scales.Kind, zero);
        Unpacked = new DotKind(DotQuants.Bytes, scales.Kind, Zero);
    }

    public override int Outputs => PanelOutputs;

    /// <summary>The kind of weights as they are stored.</summary>
    public DotKind Packed { get; }

    /// <summary>The kind of weights after <see cref="Unpack"/>.</summary>
    public DotKind Unpacked { get; }

    public static new QuantizedPanels Of(TensorType type) => type switch
    {
        TensorType.Q8_0 => s_q8_0,
        TensorType.Q4_0 => s_q4_0,
        TensorType.Q4_1 => s_q4_1,
        TensorType.Q5_0 => s_q5_0,
        TensorType.Q5_1 => s_q5_1,
        TensorType.Q4_K => s_q4_k,
        TensorType.Q5_K => s_q5_k,
        TensorType.Q6_K => s_q6_k,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a quantised type"),
    };

    public override long Bytes(int columns) => Align((long)columns / Group * _quants.GroupBytes + _scales.Bytes(columns));

    public override void Pack(ReadOnlySpan<byte> rows, int rowBytes, int columns, byte* panel)
    {
        Span<byte> quants = stackalloc byte[Group];
        byte* scales = Scales(panel, columns);
        for (int row = 0; row < rows.Length / rowBytes; row++)
        {
            ReadOnlySpan<byte> source = rows.Slice(row * rowBytes, rowBytes);
            for (int group = 0; group < columns / Group; group++)
            {
                _unpack(source, group, quants);
                _quants.Pack(quants, row, panel + (long)group * _quants.GroupBytes);
            }
            _scales.Pack(source, row, scales);
        }
    }

    /// <summary>Unpacks the scales, and minimums, of some groups.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="columns">Its inputs.</param>
    /// <param name="first">First group; a multiple of 8 for k-quants.</param>
    /// <param name="groups">How many; likewise.</param>
    /// <param name="scratch">Receives them.</param>
    public void UnpackScales(byte* panel, int columns, int first, int groups, PanelScratch scratch) =>
        _scales.Unpack(Scales(panel, columns), first, groups, scratch.Scales, scratch.Minimums);

    /// <summary>The stored quants from a group on.</summary>
    public byte* Quants(byte* panel, int group) => panel + (long)group * _quants.GroupBytes;

    /// <summary>The quants of some groups as bytes, in scratch memory unless they are stored so.</summary>
    public byte* Unpack(byte* panel, int first, int groups, PanelScratch scratch)
    {
        if (Packed == Unpacked)
            return Quants(panel, first);
        _quants.Unpack(Quants(panel, first), groups, (byte)(Zero - Packed.Zero), scratch.Quants);
        return scratch.Quants;
    }

    byte* Scales(byte* panel, int columns) => panel + (long)columns / Group * _quants.GroupBytes;
}
