using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>
/// How a panel's scales and minimums are stored. Each becomes a float by at most one multiplication, as the row formats define it, so
/// vectors of any width give the same bits.
/// </summary>
abstract unsafe class PanelScales
{
    protected const int Outputs = QuantizedPanels.PanelOutputs, Eight = 8;

    /// <summary>What the kernels call it.</summary>
    public abstract DotScales Kind { get; }

    /// <summary>Scales for each group and output.</summary>
    public virtual int PerGroup => 1;

    /// <summary>Groups that share a header.</summary>
    public virtual int Groups => 1;

    /// <summary>Bytes of the header.</summary>
    public virtual int HeaderBytes => 0;

    /// <summary>Bytes of a group's scales.</summary>
    public abstract int GroupBytes { get; }

    /// <summary>Packs the scales of one row of a block.</summary>
    /// <param name="source">The block in the file.</param>
    /// <param name="row">Which output of the panel.</param>
    /// <param name="header">The block's header.</param>
    /// <param name="scales">The first group's scales.</param>
    /// <param name="stride">Bytes to the next group's.</param>
    public abstract void Pack(ReadOnlySpan<byte> source, int row, byte* header, byte* scales, int stride);

    /// <summary>Unpacks a block to <c>[group][per group][32]</c> scales and <c>[group][32]</c> minimums.</summary>
    public abstract void Unpack(byte* header, byte* packed, int stride, float* scales, float* minimums);

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

/// <summary>A half for each group and output, and maybe another for its minimum: <c>[d | m][32 outputs]</c>.</summary>
sealed unsafe class HalfScales(bool hasMinimums) : PanelScales
{
    public override DotScales Kind => hasMinimums ? DotScales.HalvesWithMinimums : DotScales.Halves;

    public override int GroupBytes => (hasMinimums ? 2 : 1) * Outputs * sizeof(ushort);

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* header, byte* scales, int stride)
    {
        ((ushort*)scales)[row] = Half(source);
        if (hasMinimums)
            ((ushort*)scales)[Outputs + row] = Half(source[sizeof(ushort)..]);
    }

    public override void Unpack(byte* header, byte* packed, int stride, float* scales, float* minimums)
    {
        for (int i = 0; i < Outputs; i += Eight)
        {
            Halves(packed, i).Store(scales + i);
            if (hasMinimums)
                Halves(packed, Outputs + i).Store(minimums + i);
        }
    }
}

/// <summary>A power of 2 for each group and output, as the byte of mxfp4: <c>e[32 outputs]</c>.</summary>
sealed unsafe class ExponentScales : PanelScales
{
    public override DotScales Kind => DotScales.Exponents;

    public override int GroupBytes => Outputs;

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* header, byte* scales, int stride) => scales[row] = source[0];

    /// <summary>As <see cref="MXFP4.ScaleBits"/>: by integers, since the smallest powers are no normal floats.</summary>
    public override void Unpack(byte* header, byte* packed, int stride, float* scales, float* minimums)
    {
        Vector256<int> one = Vector256<int>.One;
        for (int i = 0; i < Outputs; i += Eight)
        {
            Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)(packed + i)).AsByte());
            Vector256<int> e = Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words)).AsInt32();
            Vector256.Max((e - one) << 23, (e + one) << 21).AsSingle().Store(scales + i);
        }
    }
}

/// <summary>
/// The scales of q4_k and q5_k: a header <c>[d | e][32 outputs]</c> of halves, then for each of eight groups <c>[s | m][32 outputs]</c> as
/// bytes; the scale is <c>d·s</c>, the minimum <c>−e·m</c>.
/// </summary>
sealed unsafe class ScaledScales : PanelScales
{
    const int SixBits = 2 * sizeof(ushort); // where they begin in the file's block

    public override DotScales Kind => DotScales.ScaledWithMinimums;

    public override int Groups => 8;

    public override int HeaderBytes => 2 * Outputs * sizeof(ushort);

    public override int GroupBytes => 2 * Outputs;

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* header, byte* scales, int stride)
    {
        ((ushort*)header)[row] = Half(source);
        ((ushort*)header)[Outputs + row] = Half(source[sizeof(ushort)..]);
        for (int group = 0; group < Groups; group++, scales += stride)
        {
            (int s, int m) = SixBitScales.Unpack(source.Slice(SixBits, SixBitScales.Bytes), group);
            (scales[row], scales[Outputs + row]) = ((byte)s, (byte)m);
        }
    }

    public override void Unpack(byte* header, byte* packed, int stride, float* scales, float* minimums)
    {
        for (int i = 0; i < Outputs; i += Eight)
        {
            Vector256<float> d = Halves(header, i), e = -Halves(header, Outputs + i);
            for (int group = 0; group < Groups; group++)
            {
                (d * Bytes(packed + group * stride, i)).Store(scales + group * Outputs + i);
                (e * Bytes(packed + group * stride, Outputs + i)).Store(minimums + group * Outputs + i);
            }
        }
    }
}

/// <summary>A scale that scales another, of a block in the file.</summary>
delegate sbyte PartScale(ReadOnlySpan<byte> block, int part);

/// <summary>
/// The scales of q3_k, q6_k, iq3 and iq4_xs: a header <c>d[32 outputs]</c> of halves, then for each of eight groups <c>s[1 or 2][32
/// outputs]</c> as signed bytes, one for a group or for sixteen inputs; the scale is <c>factor·d·s</c>.
/// </summary>
/// <param name="perGroup">1 or 2.</param>
/// <param name="scale">Where d stands in the file's block.</param>
/// <param name="part">Finds s there.</param>
/// <param name="factor">A power of two; other than 1 with one scale a group only.</param>
sealed unsafe class ScaledParts(int perGroup, int scale, PartScale part, float factor = 1) : PanelScales
{
    public float Factor => factor;

    public override DotScales Kind => perGroup == 2 ? DotScales.ScaledSixteens : DotScales.ScaledSigned;

    public override int PerGroup => perGroup;

    public override int Groups => 8;

    public override int HeaderBytes => Outputs * sizeof(ushort);

    public override int GroupBytes => perGroup * Outputs;

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* header, byte* scales, int stride)
    {
        ((ushort*)header)[row] = Half(source[scale..]);
        for (int i = 0; i < PerGroup * Groups; i++)
            scales[i / PerGroup * stride + i % PerGroup * Outputs + row] = (byte)part(source, i);
    }

    public override void Unpack(byte* header, byte* packed, int stride, float* scales, float* minimums)
    {
        for (int i = 0; i < Outputs; i += Eight)
        {
            Vector256<float> d = Halves(header, i) * factor;
            for (int sixteen = 0; sixteen < PerGroup * Groups; sixteen++)
                (d * Bytes(packed + sixteen / PerGroup * stride, sixteen % PerGroup * Outputs + i)).Store(scales + sixteen * Outputs + i);
        }
    }
}

/// <summary>
/// The scales of q2_k: a header <c>[d | e][32 outputs]</c> of halves, then for each of eight groups <c>[s[2] | m[2]][32 outputs]</c> as
/// bytes, one for sixteen inputs; the scale is <c>d·s</c>, the minimum <c>−e·m</c>.
/// </summary>
sealed unsafe class ScaledSixteensWithMinimums : PanelScales
{
    public override DotScales Kind => DotScales.ScaledSixteensWithMinimums;

    public override int PerGroup => 2;

    public override int Groups => 8;

    public override int HeaderBytes => 2 * Outputs * sizeof(ushort);

    public override int GroupBytes => 2 * PerGroup * Outputs;

    public override void Pack(ReadOnlySpan<byte> source, int row, byte* header, byte* scales, int stride)
    {
        ((ushort*)header)[row] = Half(source[Q2_K.Scale..]);
        ((ushort*)header)[Outputs + row] = Half(source[Q2_K.Minimum..]);
        for (int i = 0; i < PerGroup * Groups; i++)
        {
            byte* part = scales + i / PerGroup * stride + i % PerGroup * Outputs + row;
            (part[0], part[PerGroup * Outputs]) = ((byte)(source[i] & 15), (byte)(source[i] >> 4));
        }
    }

    public override void Unpack(byte* header, byte* packed, int stride, float* scales, float* minimums)
    {
        for (int i = 0; i < Outputs; i += Eight)
        {
            Vector256<float> d = Halves(header, i), e = -Halves(header, Outputs + i);
            for (int part = 0; part < PerGroup * Groups; part++)
            {
                byte* group = packed + part / PerGroup * stride;
                (d * Bytes(group, part % PerGroup * Outputs + i)).Store(scales + part * Outputs + i);
                (e * Bytes(group, (PerGroup + part % PerGroup) * Outputs + i)).Store(minimums + part * Outputs + i);
            }
        }
    }
}
