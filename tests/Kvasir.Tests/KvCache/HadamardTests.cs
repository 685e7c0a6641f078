using CsCheck;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using static Kvasir.Tests.Fixtures.StoredAs;

namespace Kvasir.Tests.KvCache;

public class HadamardTests
{
    static readonly Gen<int> s_lengths = OneOf(2, 4, 6, 8, 10, 12, 16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 576);

    static Gen<float[]> Rows(int length) => Gen.Float[-4, 4].Array[length];

    static readonly Gen<float[]> s_rows = s_lengths.SelectMany(Rows);

    [Fact]
    public void It_is_the_product_with_the_matrix() => s_rows.Sample(row =>
    {
        double[] expected = Product(row);
        float[] turned = Turned(row);
        for (int i = 0; i < row.Length; i++)
            Assert.Equal(expected[i], turned[i], 1e-5 * Norm(row) + 1e-30);
    }, iter: 300);

    /// <summary>A machine without vectors, value by value: stages by distance, then the scale.</summary>
    [Fact]
    public void Bits_do_not_depend_on_vectors() => s_rows.Sample(row =>
    {
        float[] expected = [.. row];
        int block = Hadamard.Block(row.Length);
        for (int distance = 1; distance < block; distance *= 2)
            for (int i = 0; i < row.Length; i++)
                if ((i & distance) == 0)
                    (expected[i], expected[i + distance]) = (expected[i] + expected[i + distance], expected[i] - expected[i + distance]);
        for (int i = 0; i < row.Length; i++)
            expected[i] *= (float)(1 / Math.Sqrt(block));
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), Turned(row).Select(BitConverter.SingleToInt32Bits));
    }, iter: 300);

    [Fact]
    public void It_is_its_own_inverse() => s_rows.Sample(row =>
    {
        float[] twice = Turned(Turned(row));
        for (int i = 0; i < row.Length; i++)
            Assert.Equal(row[i], twice[i], 1e-6 * Norm(row) + 1e-30);
    }, iter: 300);

    [Fact]
    public void Products_stay_as_they_are() => s_lengths.SelectMany(length => Gen.Select(Rows(length), Rows(length))).Sample((q, k) =>
        Assert.Equal(Dot(q, k), Dot(Turned(q), Turned(k)), 1e-6 * Norm(q) * Norm(k) + 1e-30), iter: 300);

    [Theory, InlineData(128, 128), InlineData(64, 64), InlineData(96, 32), InlineData(80, 16), InlineData(6, 2)]
    public void Blocks_are_the_largest_powers_of_two(int elements, int block) => Assert.Equal(block, Hadamard.Block(elements));

    /// <summary>
    /// One value of 8 and 31 of 0.4: unrotated every 0.4 becomes 0. (A row of a single value would be no test: unrotated it is exact.)
    /// </summary>
    [Theory, InlineData("q4_0", 2.2271), InlineData("q4_0+h", 0.0476)]
    public void What_an_outlier_costs(string codec, double error)
    {
        float[] row = [8, .. Enumerable.Repeat(0.4f, 31)], read = new float[32];
        byte[] stored = new byte[Codec(codec).RowBytes(32)];
        Codec(codec).Encode(row, stored);
        Codec(codec).Decode(stored, read);
        Assert.Equal(error, Math.Sqrt(row.Zip(read, (x, y) => Math.Pow(x - y, 2)).Sum()), 1e-4);
    }

    /// <summary>What is stored is the inner codec's row of the rotated values: who rotates queries may read it so.</summary>
    [Fact]
    public void A_rotated_codec_stores_what_its_inner_one_makes_of_the_rotated_row() =>
        Gen.Select(OneOf([.. KvCodecs.Names]), OneOf(32, 64, 96, 2048).SelectMany(Rows)).Sample((name, row) =>
        {
            var codec = Assert.IsType<RotatedCodec>(Codec(name + "+h"));
            byte[] stored = new byte[codec.RowBytes(row.Length)], expected = [.. stored];
            codec.Encode(row, stored);
            Codec(name).Encode(Turned(row), expected);
            Assert.Equal(expected, stored);
            float[] read = new float[row.Length], inner = [.. read];
            codec.Decode(stored, read);
            Codec(name).Decode(stored, inner);
            Assert.Equal(Turned(inner), read);
        }, iter: 100);

    [Fact]
    public void Odd_rows_are_refused()
    {
        var e = Assert.Throws<ArgumentException>(() => new KvLayout(16, Codec("f16+h"), Codec("f16"), [new(new LayerState.Full(), 1, 5, 0)]));
        Assert.Equal("f16+h mixes values in pairs at least; a row of 5 is odd, expected an even one", e.Message);
        Assert.Throws<ArgumentException>(() => Hadamard.Transform(new float[7]));
        Hadamard.Transform([]);
    }

    [Theory]
    [InlineData("f32", false)]
    [InlineData("f16", false)]
    [InlineData("bf16", false)]
    [InlineData("q8_0", false)]
    [InlineData("q5_0", true)]
    [InlineData("q4_0", true)]
    [InlineData("q3", true)]
    [InlineData("q2", true)]
    public void Fewer_than_eight_bits_gain_by_it(string codec, bool gains) => Assert.Equal(gains, KvCodecs.GainsByRotation(Codec(codec)));

    static float[] Turned(float[] row)
    {
        float[] turned = [.. row];
        Hadamard.Transform(turned);
        return turned;
    }

    static double[] Product(float[] row)
    {
        int block = Hadamard.Block(row.Length);
        double[] product = new double[row.Length];
        for (int i = 0; i < row.Length; i++)
            for (int j = i / block * block; j < i / block * block + block; j++)
                product[i] += row[j] * (int.PopCount(i & j & (block - 1)) % 2 == 0 ? 1 : -1) / Math.Sqrt(block);
        return product;
    }

    static double Norm(float[] row) => Math.Sqrt(row.Sum(x => (double)x * x));

    static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();

    static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);
}
