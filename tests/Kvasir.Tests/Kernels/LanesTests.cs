using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CsCheck;
using Kvasir.Inference.Kernels;

namespace Kvasir.Tests.Kernels;

/// <summary>Every instruction set computes the bits of the scalar twin.</summary>
public unsafe class LanesTests
{
    static readonly Gen<float[]> s_lanes = Gen.Single[-1e4f, 1e4f].Array[16];

    [Fact]
    public void Arithmetic_is_that_of_the_scalar_twin() =>
        Gen.Select(s_lanes, s_lanes, s_lanes).Sample((a, b, c) =>
        {
            float[] expected = Arithmetic<LanesScalar>(a, b, c);
            Assert.Equal(expected, Arithmetic<Lanes128<WideningProducts>>(a, b, c));
            Assert.Equal(expected, Arithmetic<Lanes256>(a, b, c));
            Assert.Equal(expected, Arithmetic<Lanes512>(a, b, c));
        }, iter: 2000);

    [Fact]
    public void Every_half_widens_exactly()
    {
        ushort* halves = stackalloc ushort[16];
        for (int first = 0; first < 65536; first += 16)
        {
            for (int i = 0; i < 16; i++)
                halves[i] = (ushort)(first + i);
            float[] expected = [.. Enumerable.Range(first, 16).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits))];
            Assert.Equal(expected, Stored(LanesScalar.LoadHalf(halves)));
            Assert.Equal(expected, Stored(Lanes128<WideningProducts>.LoadHalf(halves)));
            Assert.Equal(expected, Stored(Lanes256.LoadHalf(halves)));
            Assert.Equal(expected, Stored(Lanes512.LoadHalf(halves)));
        }
    }

    [Fact]
    public void Sixteen_rows_of_halves_become_columns_widened_exactly()
    {
        AssertTransposesHalves<LanesScalar>();
        AssertTransposesHalves<Lanes128<WideningProducts>>();
        AssertTransposesHalves<Lanes256>();
        AssertTransposesHalves<Lanes512>();
    }

    [Fact]
    public void Sixteen_rows_become_columns()
    {
        AssertTransposes<LanesScalar>();
        AssertTransposes<Lanes128<WideningProducts>>();
        AssertTransposes<Lanes256>();
        AssertTransposes<Lanes512>();
    }

    [Fact]
    public void Exponentials_are_equal_and_within_2e_7_of_the_true_value() =>
        Gen.Single[-100, 100].Array[16].Sample(x =>
        {
            float[] expected = Exponential<LanesScalar>(x);
            Assert.Equal(expected, Exponential<Lanes128<WideningProducts>>(x));
            Assert.Equal(expected, Exponential<Lanes256>(x));
            Assert.Equal(expected, Exponential<Lanes512>(x));
            for (int i = 0; i < x.Length; i++)
            {
                double exact = Math.Exp(Math.Clamp(x[i], -87, 87));
                Assert.InRange(expected[i] / exact, 1 - 2e-7, 1 + 2e-7);
            }
        }, iter: 5000);

    [Fact]
    public void Powers_of_2_are_equal_and_within_2e_7_of_the_true_value() =>
        Gen.Single[-150, 0].Array[16].Sample(x =>
        {
            float[] expected = Stored(Exp<LanesScalar>.PowerOf2(Loaded<LanesScalar>(x)));
            Assert.Equal(expected, Stored(Exp<Lanes128<WideningProducts>>.PowerOf2(Loaded<Lanes128<WideningProducts>>(x))));
            Assert.Equal(expected, Stored(Exp<Lanes256>.PowerOf2(Loaded<Lanes256>(x))));
            Assert.Equal(expected, Stored(Exp<Lanes512>.PowerOf2(Loaded<Lanes512>(x))));
            for (int i = 0; i < x.Length; i++)
                Assert.InRange(expected[i] / Math.Pow(2, Math.Max(x[i], -126)), 1 - 2e-7, 1 + 2e-7);
        }, iter: 5000);

    static readonly Gen<byte> s_weight = Gen.OneOf(Gen.Byte, Gen.Const((byte)0), Gen.Const((byte)255));

    /// <summary>Weights are bytes that have 128 too much, and it is a set's own business where it takes that away.</summary>
    [Fact]
    public void Dot_products_are_exact() =>
        Gen.Select(s_weight.Array[64], Gen.SByte[-127, 127].Array[4]).Sample((weights, x) =>
        {
            int[] expected = [.. Enumerable.Range(0, 16).Select(lane =>
                Enumerable.Range(0, 4).Sum(i => (weights[4 * lane + i] - 128) * x[i]))];
            Assert.Equal(expected, DotProduct<LanesScalar>(weights, x));
            Assert.Equal(expected, DotProduct<Lanes128<WideningProducts>>(weights, x));
            Assert.Equal(expected, DotProduct<Lanes128<DotProducts>>(weights, x));
            Assert.Equal(expected, DotProduct<Lanes256>(weights, x));
            Assert.Equal(expected, DotProduct<Lanes512>(weights, x));
        }, iter: 2000);

    [Fact]
    public void Bytes_and_cells_are_those_of_the_scalar_twin() =>
        Gen.Select(Gen.Byte.Array[64], Gen.SByte[-127, 127].Array[64]).Sample((cells, x) =>
        {
            byte[] expected = BytesAndCells<LanesScalar>(cells, x);
            Assert.Equal(expected, BytesAndCells<Lanes128<WideningProducts>>(cells, x));
            Assert.Equal(expected, BytesAndCells<Lanes256>(cells, x));
            Assert.Equal(expected, BytesAndCells<Lanes512>(cells, x));
        }, iter: 500);

    /// <summary>As x64 has them, and Arm's own instructions do not.</summary>
    [Fact]
    public void Of_zeros_and_what_is_no_number_the_second_is_the_larger_and_the_smaller()
    {
        foreach ((float a, float b) in ((float, float)[])[(0, -0f), (-0f, 0), (float.NaN, 1), (1, float.NaN)])
        {
            AssertSecond<LanesScalar>(a, b);
            AssertSecond<Lanes128<WideningProducts>>(a, b);
            if (Vector256.IsHardwareAccelerated) // elsewhere these are here to be compared in other things
                AssertSecond<Lanes256>(a, b);
            if (Vector512.IsHardwareAccelerated)
                AssertSecond<Lanes512>(a, b);
        }
    }

    /// <summary>Else a maximum that stays would change what was gathered.</summary>
    [Fact]
    public void To_the_power_of_0_is_exactly_1()
    {
        Assert.All(Stored(Exp<LanesScalar>.PowerOf2(default)), power => Assert.Equal(1f, power));
        Assert.All(Stored(Exp<Lanes512>.Of(default)), power => Assert.Equal(1f, power));
    }

    static float[] Arithmetic<T>(float[] a, float[] b, float[] c) where T : struct, ILanes<T>
    {
        (T x, T y, T z) = (Loaded<T>(a), Loaded<T>(b), Loaded<T>(c));
        T combined = T.MultiplyAdd(x, y, z) + T.SwapNeighbours(x) + T.Max(x, y) * T.Min(y, z) - z / (x * x + T.Broadcast(1));
        return [.. Stored(combined), .. Stored(T.ScaleByPowerOf2(x, T.Broadcast(-3))), T.Sum(combined), T.Largest(combined)];
    }

    static int[] DotProduct<T>(byte[] weights, sbyte[] x) where T : struct, ILanes<T>
    {
        T sums = T.StartDotProducts(-128 * x.Sum(each => each));
        fixed (byte* source = weights)
        {
            T.LoadBytePairs(source, out T even, out T odd);
            sums = T.AddDotProducts(sums, even, odd, MemoryMarshal.Read<int>(MemoryMarshal.AsBytes<sbyte>(x)));
        }
        return [.. Stored(sums).Select(BitConverter.SingleToInt32Bits)];
    }

    static byte[] BytesAndCells<T>(byte[] cells, sbyte[] x) where T : struct, ILanes<T>
    {
        byte[] bytes = new byte[16];
        fixed (byte* some = cells, to = bytes)
        fixed (sbyte* steps = x)
        {
            T sums = T.AddCellProducts(T.AddCellProducts(default, T.Load((float*)some), T.Load((float*)steps)),
                T.NextCells(T.Load((float*)some)), T.BroadcastInteger(*(int*)steps));
            T whole = T.LoadSignedBytes(steps);
            T.StoreBytes(whole, (sbyte*)to);
            T.LoadNibbles(some, out T low, out T high);
            T ones = T.AtLeast(low, high) + T.AtLeast(whole, high);
            float[] all = [.. Stored(sums), .. Stored(T.ConvertToSingle(T.AddHalves(sums))), .. Stored(whole), .. Stored(low),
                .. Stored(high), .. Stored(ones), .. Stored(T.AddBits(sums, ones, 6)), .. Stored(T.LoadBrainHalf((ushort*)some))];
            return [.. bytes, .. MemoryMarshal.AsBytes<float>(all)];
        }
    }

    static void AssertSecond<T>(float a, float b) where T : struct, ILanes<T>
    {
        int[] expected = [.. Enumerable.Repeat(BitConverter.SingleToInt32Bits(b), 16)];
        Assert.Equal(expected, Stored(T.Max(T.Broadcast(a), T.Broadcast(b))).Select(BitConverter.SingleToInt32Bits));
        Assert.Equal(expected, Stored(T.Min(T.Broadcast(a), T.Broadcast(b))).Select(BitConverter.SingleToInt32Bits));
    }

    static float[] Exponential<T>(float[] x) where T : struct, ILanes<T> => Stored(Exp<T>.Of(Loaded<T>(x)));

    /// <summary>Every half, in 128 squares.</summary>
    static void AssertTransposesHalves<T>() where T : struct, ILanes<T>
    {
        const int rows = 16, columns = 32, sourceStride = 36, destinationStride = 23;
        ushort[] source = new ushort[rows * sourceStride];
        float[] destination = new float[columns * destinationStride];
        for (int first = 0; first < 65536; first += rows * columns)
        {
            for (int i = 0; i < rows * columns; i++)
                source[i / columns * sourceStride + i % columns] = (ushort)(first + i);
            fixed (ushort* from = source)
            fixed (float* to = destination)
                T.TransposeHalves(from, sourceStride, to, destinationStride);
            for (int i = 0; i < rows * columns; i++)
                Assert.Equal((float)BitConverter.UInt16BitsToHalf((ushort)(first + i)),
                    destination[i % columns * destinationStride + i / columns]);
        }
    }

    static void AssertTransposes<T>() where T : struct, ILanes<T>
    {
        const int sourceStride = 19, destinationStride = 23;
        float[] source = [.. Enumerable.Range(0, 16 * sourceStride).Select(i => (float)i)], destination = new float[16 * destinationStride];
        fixed (float* from = source, to = destination)
            T.Transpose(from, sourceStride, to, destinationStride);
        for (int row = 0; row < 16; row++)
            for (int column = 0; column < destinationStride; column++)
                Assert.Equal(column < 16 ? source[column * sourceStride + row] : 0f, destination[row * destinationStride + column]);
    }

    static T Loaded<T>(float[] values) where T : struct, ILanes<T>
    {
        fixed (float* source = values)
            return T.Load(source);
    }

    static float[] Stored<T>(T lanes) where T : struct, ILanes<T>
    {
        float[] values = new float[16];
        fixed (float* destination = values)
            T.Store(lanes, destination);
        return values;
    }
}
