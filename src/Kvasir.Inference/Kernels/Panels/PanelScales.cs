using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Kvasir.Inference.Formats;
using Kvasir.Inference.Formats.Quantization;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// How a panel's scales and minimums are stored. Each becomes a float by at most one multiplication, as the row formats define it, so vectors of any
/// width give the same bits.
/// </summary>
abstract unsafe class PanelScales
{
    protected const int Outputs = QuantizedPanels.PanelOutputs, Eight = 8;

    /// <summary>What the kernels call it.</summary>
    public abstract DotScales Kind { get; }

    /// <summary>Bytes for so many inputs.</summary>
    public abstract long Bytes(int columns);

    /// <summary>Packs one row's scales.</summary>
    public abstract void Pack(ReadOnlySpan<byte> source, int row, byte* scales);

    /// <summary>Unpacks some groups to <c>[group][per group][32]</c> scales and <c>[group][32]</c> minimums.</summary>
    public abstract void Unpack(byte* packed, int first, int groups, float* scales, float* minimums);

    /// <summary>Eight halves as floats.</summary>
    protected static Vector256<float> Halves(byte* source, int index) =>
        F16.Widen(Vector256.WidenLower(Vector128.Load((ushort*)source + index).ToVector256Unsafe()));

    /// <summary>Eight signed bytes as floats.</summary>
    protected static Vector256<float> Bytes(byte* source, int index)
    {
        Vector128<short> words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)(source + index)).AsSByte());
        return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words)));
    }

    protected static ushort Half(ReadOnlySpan<byte> source) => BinaryPrimitives.ReadUInt16LittleEndian(source);
}

/// <summary>A half for each group and output, and maybe another for its minimum: <c>[group][d | m][32 outputs]</c>.</summary>
sealed unsafe class HalfScales(TensorType type, bool hasMinimums) : PanelScales
{
    readonly int _perGroup = (hasMinimums ? 2 : 1) * Outputs;

    public override DotScales Kind => hasMinimums ? DotScales.WithMinimums : DotScales.Plain;

    public override long Bytes(int columns) => (long)columns / QuantizedPanels.Group * _perGroup * sizeof(ushort);

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* scales)
    {
        ushort* halves = (ushort*)scales + row;
        for (; !source.IsEmpty; source = source[type.BlockBytes()..], halves += _perGroup)
        {
            halves[0] = Half(source);
            if (hasMinimums)
                halves[Outputs] = Half(source[sizeof(ushort)..]);
        }
    }

    public override void Unpack(byte* packed, int first, int groups, float* scales, float* minimums)
    {
        for (int group = 0; group < groups; group++)
            for (int i = 0; i < Outputs; i += Eight)
            {
                byte* halves = packed + (long)(first + group) * _perGroup * sizeof(ushort);
                Halves(halves, i).Store(scales + group * Outputs + i);
                if (hasMinimums)
                    Halves(halves, Outputs + i).Store(minimums + group * Outputs + i);
            }
    }
}

/// <summary>
/// The scales of q4_k and q5_k: for each 256 inputs <c>[d | e][32 outputs]</c> as halves, then <c>[8 groups][s | m][32 outputs]</c> as bytes; the scale
/// is <c>d·s</c>, the minimum <c>−e·m</c>.
/// </summary>
sealed unsafe class ScaledScales(TensorType type) : PanelScales
{
    const int Groups = 8, Halved = 2 * Outputs * sizeof(ushort), GroupBytes = 2 * Outputs, BlockBytes = Halved + Groups * GroupBytes;
    const int SixBits = 2 * sizeof(ushort); // where they begin in the file's block

    public override DotScales Kind => DotScales.WithMinimums;

    public override long Bytes(int columns) => (long)columns / type.BlockElements() * BlockBytes;

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* scales)
    {
        for (; !source.IsEmpty; source = source[type.BlockBytes()..], scales += BlockBytes)
        {
            ((ushort*)scales)[row] = Half(source);
            ((ushort*)scales)[Outputs + row] = Half(source[sizeof(ushort)..]);
            for (int group = 0; group < Groups; group++)
            {
                (int s, int m) = SixBitScales.Unpack(source.Slice(SixBits, SixBitScales.Bytes), group);
                byte* bytes = scales + Halved + group * GroupBytes + row;
                (bytes[0], bytes[Outputs]) = ((byte)s, (byte)m);
            }
        }
    }

    public override void Unpack(byte* packed, int first, int groups, float* scales, float* minimums)
    {
        byte* block = packed + (long)first / Groups * BlockBytes;
        for (int group = 0; group < groups; group += Groups, block += BlockBytes, scales += Groups * Outputs, minimums += Groups * Outputs)
            for (int i = 0; i < Outputs; i += Eight)
            {
                Vector256<float> d = Halves(block, i), e = -Halves(block, Outputs + i);
                byte* bytes = block + Halved + i;
                for (int inBlock = 0; inBlock < Groups; inBlock++, bytes += GroupBytes)
                {
                    (d * Bytes(bytes, 0)).Store(scales + inBlock * Outputs + i);
                    (e * Bytes(bytes, Outputs)).Store(minimums + inBlock * Outputs + i);
                }
            }
    }
}

/// <summary>
/// The scales of q6_k: for each 256 inputs <c>d[32 outputs]</c> as halves, then <c>s[16][32 outputs]</c> as signed bytes, one for sixteen inputs;
/// the scale is <c>d·s</c>.
/// </summary>
sealed unsafe class ScaledSixteens : PanelScales
{
    const int Groups = 8, Sixteens = 16, Halved = Outputs * sizeof(ushort), BlockBytes = Halved + Sixteens * Outputs;
    const int FileScales = 192, FileScale = 208; // where s and d stand in the file's block

    public override DotScales Kind => DotScales.Sixteens;

    public override long Bytes(int columns) => (long)columns / TensorType.Q6_K.BlockElements() * BlockBytes;

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* scales)
    {
        for (; !source.IsEmpty; source = source[TensorType.Q6_K.BlockBytes()..], scales += BlockBytes)
        {
            ((ushort*)scales)[row] = Half(source[FileScale..]);
            for (int i = 0; i < Sixteens; i++)
                scales[Halved + i * Outputs + row] = source[FileScales + i];
        }
    }

    public override void Unpack(byte* packed, int first, int groups, float* scales, float* minimums)
    {
        byte* block = packed + (long)first / Groups * BlockBytes;
        for (int group = 0; group < groups; group += Groups, block += BlockBytes, scales += Sixteens * Outputs)
            for (int i = 0; i < Outputs; i += Eight)
            {
                Vector256<float> d = Halves(block, i);
                for (int sixteen = 0; sixteen < Sixteens; sixteen++)
                    (d * Bytes(block + Halved, sixteen * Outputs + i)).Store(scales + sixteen * Outputs + i);
            }
    }
}
