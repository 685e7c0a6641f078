using CsCheck;
using Kvasir.KvCache.Codecs;
using static Kvasir.Tests.Fixtures.StoredAs;

namespace Kvasir.Tests.KvCache;

/// <summary>Three and two bits, beside the bytes as they are documented and a search for better scales.</summary>
public class CentroidCodecTests
{
    const int Group = 32;

    public static TheoryData<string> Names => ["q3", "q2"];

    [Theory, MemberData(nameof(Names))]
    public void Bytes_mean_what_is_documented(string name) => Gen.Byte.Array[Codec(name).RowBytes(Group)].Sample(stored =>
    {
        float[] read = new float[Group];
        Codec(name).Decode(stored, read);
        Assert.Equal(Documented(name, stored).Select(BitConverter.SingleToInt32Bits), read.Select(BitConverter.SingleToInt32Bits));
    }, iter: 1000);

    /// <summary>
    /// Forty units, from far below to far above, each with the scale that is best after it, leave hardly less of an error.
    /// </summary>
    [Theory, MemberData(nameof(Names))]
    public void The_scale_is_about_the_best_there_is(string name)
    {
        (double error, double least) = (0, 0);
        float[] centroids = Magnitudes(name), read = new float[Group];
        byte[] stored = new byte[Codec(name).RowBytes(Group)];
        var random = new Random(1);
        for (int group = 0; group < 500; group++)
        {
            float[] row = Normal(random);
            Codec(name).Encode(row, stored);
            Codec(name).Decode(stored, read);
            error += row.Zip(read, (x, y) => Math.Pow(x - y, 2)).Sum();
            double extreme = row.Max(MathF.Abs);
            least += Enumerable.Range(0, 40).Min(i => Error(row, extreme / centroids[^1] * Math.Pow(2, (i - 8) / 8.0), centroids));
        }
        Assert.InRange(error / least, 1, 1.1);
    }

    [Fact]
    public void Centroids_are_those_of_Lloyd_and_Max()
    {
        foreach (string name in Names.Select(name => name.Data))
        {
            var codec = (CentroidCodec)Codec(name);
            float[] magnitudes = Magnitudes(name);
            Assert.Equal([.. magnitudes, .. magnitudes.Select(magnitude => -magnitude)], codec.Centroids.ToArray());
            for (int i = 0; i < magnitudes.Length; i++)
                Assert.Equal(MeanBetween(i == 0 ? 0 : (magnitudes[i - 1] + magnitudes[i]) / 2,
                    i == magnitudes.Length - 1 ? 12 : (magnitudes[i] + magnitudes[i + 1]) / 2), magnitudes[i], 2e-4);
        }
    }

    static float[] Magnitudes(string name) => name == "q3" ? [0.2451f, 0.7560f, 1.3439f, 2.1519f] : [0.4528f, 1.5104f];

    static IEnumerable<float> Documented(string name, byte[] stored)
    {
        float scale = (float)BitConverter.ToHalf(stored);
        float[] magnitudes = Magnitudes(name);
        for (int j = 0; j < Group; j++)
        {
            int two = stored[(name == "q3" ? 6 : 2) + j % 8] >> j / 8 * 2 & 3;
            bool negative = name == "q3" ? (stored[2 + j / 8] >> j % 8 & 1) != 0 : (two & 2) != 0;
            float magnitude = magnitudes[name == "q3" ? two : two & 1];
            yield return (negative ? -magnitude : magnitude) * scale;
        }
    }

    /// <summary>Normally distributed: what a rotation makes of rows.</summary>
    static float[] Normal(Random random) => [.. Enumerable.Range(0, Group).Select(_ =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    static double Error(float[] row, double unit, float[] centroids)
    {
        double[] nearest = [.. row.Select(x => (double)centroids.MinBy(centroid => Math.Abs(Math.Abs(x) / unit - centroid)))];
        double scale = row.Zip(nearest, (x, c) => Math.Abs(x) * c).Sum() / nearest.Sum(c => c * c);
        return row.Zip(nearest, (x, c) => Math.Pow(Math.Abs(x) - c * scale, 2)).Sum();
    }

    /// <summary>Mean of a normal variable between two bounds.</summary>
    static double MeanBetween(double from, double to)
    {
        double[] x = [.. Enumerable.Range(0, 100_000).Select(i => from + (to - from) * (i + 0.5) / 100_000)];
        return x.Sum(x => x * Math.Exp(-x * x / 2)) / x.Sum(x => Math.Exp(-x * x / 2));
    }
}
