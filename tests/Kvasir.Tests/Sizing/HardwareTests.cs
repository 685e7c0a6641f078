using System.Text;
using Kvasir.Formats;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Sizing;

/// <summary>Devices from the catalogue and from files.</summary>
public sealed class HardwareTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string File(string json) => _folder.Write("card.json", Encoding.UTF8.GetBytes(json));

    [Fact]
    public void The_catalogue_is_plausible_and_named()
    {
        Assert.Equal(HardwareCatalogue.All.Length, HardwareCatalogue.All.Select(hardware => hardware.Name).Distinct().Count());
        Assert.All(HardwareCatalogue.All, hardware =>
        {
            Assert.NotEmpty(hardware.Source);
            Assert.Same(hardware, HardwareCatalogue.Find(hardware.Name.ToUpperInvariant()));
            Assert.InRange(hardware.MemoryBytesPerS, 5e10, 1e13);
            Assert.InRange(hardware.MemoryBytes!.Value, 1.6e10, 6e11);
            double peak = hardware.Peak(hardware.UsualFor(2))!.Value;
            Assert.InRange(peak / hardware.MemoryBytesPerS, 30, 700); // operations for each byte
            Assert.True(hardware.Int8PerS is not { } eight || eight >= 1.9 * peak);
            Assert.True(hardware is not { Bf16PerS: { } bf16, Fp32PerS: { } fp32 } || bf16 >= fp32);
        });
        Assert.Null(HardwareCatalogue.Find("h1000"));
    }

    /// <summary>zeux counts 40 operations for each byte of a Ryzen 7950X and 82 for those of a 4090 in single precision.</summary>
    [Theory]
    [InlineData("ryzen-7950x", 40)]
    [InlineData("rtx-4090", 82)]
    public void Ratios_of_zeux(string name, double ratio) =>
        Assert.Equal(ratio, HardwareCatalogue.Find(name) is { } found ? found.Fp32PerS!.Value / found.MemoryBytesPerS : 0, 1.0);

    [Fact]
    public void Devices_add_up()
    {
        Hardware eight = HardwareCatalogue.Find("tpu-v5e")!.Times(8);
        Assert.Equal((8 * 819e9, 8 * 197e12, 8 * 394e12, null, 128.0 * (1 << 30)),
            (eight.MemoryBytesPerS, eight.Bf16PerS, eight.Int8PerS, eight.Fp32PerS, eight.MemoryBytes));
    }

    [Fact]
    public void The_usual_arithmetic_is_one_that_there_is()
    {
        Hardware cpu = new() { Name = "cpu", Source = "", MemoryBytesPerS = 1, Fp32PerS = 1, Int8PerS = 1 };
        Assert.Equal((Arithmetic.Int8, Arithmetic.Fp32), (cpu.UsualFor(34 / 32.0), cpu.UsualFor(2)));
        Assert.Equal(Arithmetic.Fp32, (cpu with { Int8PerS = null }).UsualFor(1));
        Assert.Equal(Arithmetic.Int8, (cpu with { Fp32PerS = null }).UsualFor(2));
        Assert.Equal(Arithmetic.Bf16, (cpu with { Bf16PerS = 1 }).UsualFor(1));
    }

    [Fact]
    public void A_file_has_the_fields_of_an_entry()
    {
        Hardware read = HardwareReader.Read(File("""{"name": "card", "source": "its box", "memory_bytes_per_s": 1e12, "bf16_per_s": 2e14, "int8_per_s": null, "fp32_per_s": 3e13, "memory_bytes": 68719476736}"""));
        Assert.Equal(new Hardware
        {
            Name = "card", Source = "its box", MemoryBytesPerS = 1e12, Bf16PerS = 2e14, Fp32PerS = 3e13, MemoryBytes = 1L << 36,
        }, read);
        string path = File("""{"memory_bytes_per_s": 1, "int8_per_s": 2}""");
        Assert.Equal(new Hardware { Name = "card", Source = path, MemoryBytesPerS = 1, Int8PerS = 2 }, HardwareReader.Read(path));
    }

    [Theory]
    [InlineData("", "line 1: no JSON")]
    [InlineData("[1]", "the whole: an array, expected one JSON object")]
    [InlineData("{\n\"memory_bytes_per_s\": 1,,", "line 2: no JSON")]
    [InlineData("""{"memory_bytes_per_s": 1, "memory_bytes_per_s": 2, "fp32_per_s": 1}""", "a field twice")]
    [InlineData("""{"fp32_per_s": 1}""", "memory_bytes_per_s: missing, expected a number of bytes")]
    [InlineData("""{"memory_bytes_per_s": 1}""", "bf16_per_s: missing, expected this, int8_per_s or fp32_per_s")]
    [InlineData("""{"memory_bytes_per_s": 5e-324, "fp32_per_s": 1}""", "memory_bytes_per_s: 5e-324, expected a number from 1 to 1E+21")]
    [InlineData("""{"memory_bytes_per_s": "fast", "fp32_per_s": 1}""", "memory_bytes_per_s: \"fast\", expected a number from 1 to 1E+21")]
    [InlineData("""{"memory_bytes_per_s": 1, "fp32_per_s": 1e999}""", "fp32_per_s: 1e999, expected a number from 1 to 1E+21")]
    [InlineData("""{"memory_bytes_per_s": 1, "fp32_per_s": 1, "memory_bytes": -1}""",
        "memory_bytes: -1, expected a number from 1 to 1E+21")]
    [InlineData("""{"memory_bytes_per_s": 1, "fp32_per_s": 1, "name": {"a": 1}}""", "name: an object, expected a text")]
    [InlineData("""{"memory_bytes_per_s": 1, "fp32_per_s": 1, "bandwidth\u001b": 1}""",
        "bandwidth\\u{1b}: unknown, expected name, source, memory_bytes_per_s")]
    public void A_file_that_is_wrong_gets_one_line(string json, string expected)
    {
        string path = File(json);
        string message = Assert.Throws<ModelFormatException>(() => HardwareReader.Read(path)).Message;
        Assert.StartsWith(path + ": ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Equal(message, message.ReplaceLineEndings(" "));
    }

    [Fact]
    public void A_file_that_is_too_large_is_not_read() =>
        Assert.Contains("size: more than 65,536 bytes", Assert.Throws<ModelFormatException>(
            () => HardwareReader.Read(File(new string(' ', 1 << 17)))).Message, StringComparison.Ordinal);
}
