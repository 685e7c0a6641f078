using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Codecs;
using static Kvasir.Tests.Fixtures.StoredAs;

namespace Kvasir.Tests.Kernels;

/// <summary>What attention reads of a stored row is what the codec says, of a rotated row its inner one, on every machine.</summary>
public unsafe class StoredRowsTests
{
    const float Untouched = 12345;

    public static TheoryData<string, int> Rows()
    {
        TheoryData<string, int> rows = [];
        foreach (IKvCodec codec in KvCodecs.All)
            foreach (int dim in (int[])[8, 16, 24, 32, 48, 64, 80, 96, 128, 160])
                if (dim % 32 == 0 || codec.Name is "f32" or "f16" or "bf16")
                    rows.Add(codec.Name, dim);
        return rows;
    }

    [Theory, MemberData(nameof(Rows))]
    public void Widened_rows_have_the_bits_of_their_codec(string name, int dim)
    {
        var random = new Random(dim);
        var from = new KvRows(dim, Codec(name));
        float[] row = new float[dim], padding = new float[from.Padded - dim], decoded = new float[dim];
        List<int> expected = [];
        byte[] stored = new byte[17 * from.Bytes];
        random.NextBytes(stored);
        for (int i = 0; i < 16; i++)
        {
            for (int j = 0; j < dim; j++)
                row[j] = MathF.Pow(10, random.Next(-9, 5)) * (2 * random.NextSingle() - 1) * (i == 5 ? 0 : 1);
            Codec(name).Encode(row, stored.AsSpan(i * from.Bytes, from.Bytes));
            from.Codec.Decode(stored.AsSpan(i * from.Bytes, from.Bytes), decoded);
            expected.AddRange([.. decoded.Select(BitConverter.SingleToInt32Bits), .. padding.Select(BitConverter.SingleToInt32Bits)]);
        }
        foreach (int count in (int[])[0, 1, 7, 16])
        {
            Assert.Equal(expected.Take(count * from.Padded), Widened<LanesScalar>(from, stored, count));
            Assert.Equal(expected.Take(count * from.Padded), Widened<Lanes128<WideningProducts>>(from, stored, count));
            Assert.Equal(expected.Take(count * from.Padded), Widened<Lanes256>(from, stored, count));
            Assert.Equal(expected.Take(count * from.Padded), Widened<Lanes512>(from, stored, count));
        }
    }

    /// <summary>The rows that were asked for; those behind stay as they are.</summary>
    static IEnumerable<int> Widened<T>(in KvRows from, byte[] stored, int count) where T : struct, ILanes<T>
    {
        float[] rows = [.. Enumerable.Repeat(Untouched, 16 * from.Padded)];
        fixed (byte* first = stored)
        fixed (float* widened = rows)
            StoredRows<T>.Widen(from, first, 0, count, widened);
        Assert.All(rows[(count * from.Padded)..], value => Assert.Equal(Untouched, value));
        return rows[..(count * from.Padded)].Select(BitConverter.SingleToInt32Bits);
    }
}
