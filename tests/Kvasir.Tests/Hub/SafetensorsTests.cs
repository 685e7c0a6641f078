using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Formats.Safetensors;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Hub;

/// <summary>Safetensors files that are what they say, and such as are not.</summary>
public sealed class SafetensorsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tensors_are_read_with_the_fastest_dimension_first_and_may_lie_unaligned()
    {
        JsonObject header = new()
        {
            ["a"] = Safetensors.Entry("F16", [1], 0, 2),
            ["b"] = Safetensors.Entry("F32", [2, 3], 2, 26),
            ["c"] = Safetensors.Entry("BF16", [], 26, 28),
        };
        byte[] data = [.. Enumerable.Range(0, 28).Select(value => (byte)value)];
        using SafetensorsFile file = Open(Safetensors.Bytes(header.ToJsonString() + "   ", data));
        Assert.Equal(["a", "b", "c"], file.Tensors.Select(tensor => tensor.Name));
        StoredTensor b = file.Tensors[1];
        Assert.Equal((3L, 2L, 12), (b.Columns, b.Rows, b.RowBytes));
        Assert.Equal(data[14..26], file.Row(b, 1).ToArray());
        byte[] rows = new byte[24];
        file.Read(b, 0, rows);
        Assert.Equal(data[2..26], rows);
    }

    /// <summary>The header, bytes of data behind it, the length that the file claims for it, and what the error names.</summary>
    public static TheoryData<string, int, ulong?, string> Hostile => new()
    {
        { "{}", 0, 3, "header length: 3 bytes" },
        { "{}", 0, 100_000_001, "header length" },
        { "{}", 0, 1UL << 63, "header length: 9223372036854775808" },
        { "{}", 0, ulong.MaxValue, "header length" },
        { "{}", 0, 1, "header length" },
        { "{]", 0, null, "no valid JSON" },
        { "[]", 0, null, "header: a JSON Array" },
        { "{}", 4, null, "data: 4 bytes, expected 0" },
        { Two("""{"dtype":"F32","shape":[1],"data_offsets":[2,6]}"""), 6, null, "'b'.data_offsets: a begin of 2, expected 4" },
        { Two("""{"dtype":"F32","shape":[1],"data_offsets":[5,9]}"""), 9, null, "'b'.data_offsets: a begin of 5, expected 4" },
        { Two("""{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"""), 7, null, "'b'.data_offsets" },
        { Two("""{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}"""), 8, null, "'b'.data_offsets" },
        { Two("""{"dtype":"F32","shape":[1],"data_offsets":[8,4]}"""), 8, null, "'b'.data_offsets: [8, 4]" },
        { Two("""{"dtype":"F32","shape":[1],"data_offsets":[4]}"""), 8, null, "'b'.data_offsets: [4]" },
        { Two("""{"dtype":"F32","shape":[2],"data_offsets":[4,8]}"""), 8, null, "'b'.data_offsets: 4 bytes, expected 8" },
        { Two("""{"dtype":"F8_E4M3","shape":[4],"data_offsets":[4,8]}"""), 8, null, "'b'.dtype: \"F8_E4M3\"" },
        { Two("""{"shape":[1],"data_offsets":[4,8]}"""), 8, null, "'b'.dtype: the field is missing" },
        { Two("""{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[4,8]}"""), 8, null, "'b'.shape" },
        { Two("""{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[4,8]}"""), 8, null, "'b'.shape" },
        { Two("""{"dtype":"F32","shape":[0],"data_offsets":[4,4]}"""), 4, null, "'b'.shape" },
        { Two("""{"dtype":"F32","shape":[1.5],"data_offsets":[4,8]}"""), 8, null, "'b'.shape" },
        { Two("""{"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[4,8]}"""), 8, null, "'b'.shape" },
        { Two("7"), 8, null, "'b': a JSON Number" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, null,
            "no valid JSON" },
    };

    static string Two(string second) => $$"""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{{second}}}""";

    [Theory, MemberData(nameof(Hostile))]
    public void A_hostile_header_is_refused_in_one_line(string header, int data, ulong? length, string expected)
    {
        string message = Assert.Throws<ModelFormatException>(() => Open(Safetensors.Bytes(header, new byte[data], length))).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.StartsWith(_folder["x.safetensors"] + ": ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public void A_damaged_file_opens_or_is_refused(int seed)
    {
        JsonObject header = new() { ["a"] = Safetensors.Entry("F32", [4, 2], 0, 32), ["b"] = Safetensors.Entry("BF16", [3], 32, 38) };
        byte[] whole = Safetensors.Bytes(header.ToJsonString(), new byte[38]);
        Random random = new(seed);
        for (int i = 0; i < 400; i++)
        {
            byte[] damaged = Damaged(whole, random);
            try
            {
                using SafetensorsFile file = Open(damaged);
                foreach (StoredTensor tensor in file.Tensors)
                    for (long row = 0; row < tensor.Rows; row++)
                        _ = file.Row(tensor, row)[^1];
            }
            catch (ModelFormatException)
            {
                // named in one line, as the other test says
            }
        }
    }

    static byte[] Damaged(byte[] whole, Random random)
    {
        byte[] bytes = [.. whole];
        switch (random.Next(4))
        {
            case 0: return bytes[..random.Next(bytes.Length)];
            case 1: return [.. bytes, .. new byte[random.Next(1, 9)]];
            case 2: bytes[random.Next(8)] = (byte)random.Next(256); return bytes;
            default:
                for (int i = random.Next(1, 4); i > 0; i--)
                    bytes[8 + random.Next(bytes.Length - 8)] = (byte)"0123456789,[]{}\""[random.Next(16)];
                return bytes;
        }
    }

    SafetensorsFile Open(byte[] bytes) => SafetensorsFile.Open(_folder.Write("x.safetensors", bytes));
}
