using CsCheck;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using static Kvasir.Tests.Fixtures.StoredAs;

namespace Kvasir.Tests.KvCache;

public class QuantizedCodecTests
{
    const int Group = 32;
    const float NormalHalf = 6.1035156e-5f; // the smallest; scales below it have fewer digits

    /// <summary>
    /// Rows as models make them, rows with outliers, rows that lie between or just beside two codes, and rows in which
    /// several values are the greatest.
    /// </summary>
    static readonly Gen<float[]> s_rows = Gen.OneOf(
        Gen.Float[-4, 4].Array[Group],
        Gen.Float[-1, 1].Select(Gen.Int[0, 20], (value, magnitude) => value * MathF.Pow(2, magnitude - 8)).Array[Group],
        Gen.Int[-127, 127].Select(value => value / 2f).Array[Group],
        Gen.Int[0, 126].Select(Gen.Int[-1, 1], (whole, steps) => Beside(whole + 0.5f, steps)).Array[Group - 1]
            .Select(row => (float[])[127, .. row]),
        Gen.Int[-2, 2].Select(value => (float)value).Array[Group]).Array[1, 4]
        .Select(groups => groups.SelectMany(group => group).ToArray());

    /// <summary>Those that model files have, too.</summary>
    public static TheoryData<string> OfFiles => ["q8_0", "q5_0", "q4_0"];

    public static TheoryData<string> Names => [.. OfFiles, "q3", "q2"];

    /// <summary>An implementation of the same formats that shares no code with this one, and whose files llama.cpp reads.</summary>
    [Theory, MemberData(nameof(OfFiles))]
    public void Bytes_are_those_of_model_files(string name) => s_rows.Sample(row =>
    {
        byte[] expected = new byte[Codec(name).RowBytes(row.Length)];
        TensorType type = Enum.GetValues<TensorType>().Single(type => type.DisplayName() == name);
        RowFormat.Quantize(type, row, expected);
        byte[] actual = Encoded(Codec(name), row);
        for (int group = 0; group < row.Length / Group; group++)
            if (row[(group * Group)..((group + 1) * Group)].Any(value => value != 0)) // zeros are -0 there, and 0 here
                Assert.Equal(GroupOf(expected, row, group), GroupOf(actual, row, group));
        float[] values = new float[row.Length];
        RowFormat.Dequantize(type, actual, values);
        Assert.Equal(values, Decoded(Codec(name), actual, row.Length));
    }, iter: 3000);

    /// <summary>
    /// Half a step and the rounding of the scale to eleven bits; for q4_0 and q5_0 a whole step opposite the extreme, since +8 and +16 are
    /// no codes.
    /// </summary>
    [Theory]
    [InlineData("q8_0", 127, 0.5)]
    [InlineData("q5_0", 16, 1)]
    [InlineData("q4_0", 8, 1)]
    public void A_value_comes_back_within_a_step(string name, int most, double steps) => s_rows.Sample(row =>
    {
        float[] read = Decoded(Codec(name), Encoded(Codec(name), row), row.Length);
        for (int i = 0; i < row.Length; i++)
        {
            float extreme = row[(i / Group * Group)..(i / Group * Group + Group)].MaxBy(MathF.Abs);
            double scale = Math.Abs((double)extreme) / most;
            bool opposite = Math.Sign(row[i]) != Math.Sign(extreme);
            if (scale >= NormalHalf)
                Assert.InRange(Math.Abs((double)read[i] - row[i]), 0, scale * ((opposite ? steps : 0.5) + most / 2048.0 + 1e-5));
        }
    }, iter: 3000);

    /// <summary>A block that is offloaded again loses nothing more, and has the same bytes.</summary>
    [Theory, MemberData(nameof(Names))]
    public void What_was_read_is_stored_in_the_same_bytes(string name) =>
        Gen.OneOf(s_rows, Gen.Float.Array[Group], Gen.Float[0, 1e-5f].Array[Group]).Sample(row =>
    {
        byte[] once = Encoded(Codec(name), row);
        Assert.Equal(once, Encoded(Codec(name), Decoded(Codec(name), once, row.Length)));
    }, iter: 3000);

    [Theory]
    [InlineData("q8_0", 0.006)]
    [InlineData("q5_0", 0.045)]
    [InlineData("q4_0", 0.09)]
    [InlineData("q3", 0.168)]
    [InlineData("q2", 0.33)]
    public void Normal_numbers_lose_little(string name, double most)
    {
        var random = new Random(1);
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        float[] row = [.. Enumerable.Range(0, 1 << 16).Select(_ => (float)Normal())];
        float[] read = Decoded(Codec(name), Encoded(Codec(name), row), row.Length);
        double error = Math.Sqrt(row.Zip(read, (x, y) => Math.Pow(x - y, 2)).Sum() / row.Sum(x => (double)x * x));
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: relative RMS error {error:g4}");
        Assert.InRange(error, most / 2, most);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.MaxValue)]
    public void A_group_that_cannot_be_stored_reads_back_as_NaN_and_its_neighbours_as_they_are(float value)
    {
        foreach (IKvCodec codec in Names.Select(name => Codec(name.Data)))
            for (int place = 0; place < Group; place++)
            {
                float[] row = [.. Enumerable.Repeat(1f, 3 * Group)];
                row[Group + place] = value;
                byte[] stored = Encoded(codec, row);
                float[] read = Decoded(codec, stored, row.Length);
                Assert.All(read[Group..(2 * Group)], read => Assert.True(float.IsNaN(read)));
                Assert.All([.. read[..Group], .. read[(2 * Group)..]], read => Assert.Equal(1f, read, 1e-3f));
                Assert.Equal(stored, Encoded(codec, read));
            }
    }

    [Fact]
    public void Zeros_and_what_is_too_small_for_a_scale_read_back_as_zeros()
    {
        foreach (IKvCodec codec in Names.Select(name => Codec(name.Data)))
            foreach (float value in (float[])[0f, -0f, float.Epsilon, -1e-40f, 1e-9f])
                Assert.All(Decoded(codec, Encoded(codec, [.. Enumerable.Repeat(value, Group)]), Group),
                    read => Assert.Equal(0, BitConverter.SingleToInt32Bits(read)));
    }

    /// <summary>The row's length says how much is stored; a longer buffer behind it stays as it was.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Nothing_is_written_beyond_the_row(string name)
    {
        byte[] stored = [.. Enumerable.Repeat((byte)0xA5, 100)];
        float[] read = [.. Enumerable.Repeat(7f, 2 * Group)];
        Codec(name).Encode(Enumerable.Repeat(3f, Group).ToArray(), stored);
        Codec(name).Decode(stored, read.AsSpan(0, Group));
        Assert.All(stored[Codec(name).RowBytes(Group)..], value => Assert.Equal(0xA5, value));
        Assert.All(read[Group..], value => Assert.Equal(7f, value));
    }

    [Theory, MemberData(nameof(Names))]
    public void Rows_that_are_not_whole_groups_are_refused_when_a_layout_is_made(string name)
    {
        var e = Assert.Throws<ArgumentException>(() => new KvLayout(16, Codec(name), [new KvLayer(new LayerState.Full(), 2, 48, 0)]));
        Assert.Contains($"{name} stores rows in groups of 32 values; a row of 48", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_lead_to_codecs()
    {
        Assert.Equal(["f32", "f16", "bf16", "q8_0", "q5_0", "q4_0", "q3", "q2"], KvCodecs.Names);
        Assert.All(KvCodecs.All, codec => Assert.Equal(codec.Name, Codec(codec.Name).Name));
        Assert.Equal([.. KvCodecs.Names, .. KvCodecs.Names.Select(name => name + "+h")], KvCodecs.All.Select(codec => codec.Name));
        Assert.Same(Q5_0Codec.Instance, Codec("q5"));
        Assert.False(KvCodecs.TryParse("Q8_0", out _));
    }

    static float Beside(float value, int steps) => BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) + steps);

    static byte[] GroupOf(byte[] stored, float[] row, int group)
    {
        int bytes = stored.Length / (row.Length / Group);
        return stored[(group * bytes)..((group + 1) * bytes)];
    }

    static byte[] Encoded(IKvCodec codec, float[] row)
    {
        byte[] stored = new byte[codec.RowBytes(row.Length)];
        codec.Encode(row, stored);
        return stored;
    }

    static float[] Decoded(IKvCodec codec, byte[] stored, int elements)
    {
        float[] row = new float[elements];
        codec.Decode(stored, row);
        return row;
    }
}
