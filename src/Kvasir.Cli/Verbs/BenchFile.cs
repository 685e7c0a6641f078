using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Formats;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>Reads what <c>kvasir bench --json</c> printed. Anything may be in the file.</summary>
static class BenchFile
{
    const int MostBytes = 1 << 20;

    /// <exception cref="IOException">The file cannot be read or is something else; the message names it and what is wrong.</exception>
    public static BenchReport Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] bytes = new byte[MostBytes];
        int length = file.ReadAtLeast(bytes, MostBytes, throwOnEndOfStream: false);
        try
        {
            BenchReport? report = JsonSerializer.Deserialize(bytes.AsSpan(0, length), BenchJson.Default.BenchReport);
            return report is null ? throw Invalid(path, "the whole", "a report") : Check(path, report);
        }
        catch (JsonException e)
        {
            throw Invalid(path, e.Path ?? "the whole", Cause(e));
        }
    }

    static BenchReport Check(string path, BenchReport report)
    {
        Check(report.WeightBytes > 0, "weight_bytes", "above 0");
        Check(ElementType.Find(report.Kv, ElementType.OfKv) is not null, "kv", "a type of keys and values");
        Check(report.Limits is not null, "limits", "those of the CPU (--device cpu)");
        Check(report.Limits?.ReadBytesPerS is > 0 and < 1e18, "limits.read_bytes_per_s", "above 0");
        Check(report.Limits?.Fp32PerS is > 0 and < 1e18, "limits.fp32_per_s", "above 0");
        Check(report.Limits?.Int8PerS is > 0 and < 1e18, "limits.int8_per_s", "above 0");
        Check(report.Tests.All(test => test?.TokensPerS is > 0 and < 1e18), "tests.tokens_per_s", "above 0");
        return report;

        void Check(bool holds, string field, string expected)
        {
            if (!holds)
                throw Invalid(path, field, expected);
        }
    }

    /// <summary>A parser's message without where it stands, which is not what its reader can look at.</summary>
    static string Cause(JsonException e) => e.Message.Contains("missing required", StringComparison.Ordinal)
        ? "all fields of a report"
        : "the JSON of a report";

    static IOException Invalid(string path, string field, string expected) =>
        new($"{Printable.Line(path, 4096)}: {Printable.Line(field)}: not as `kvasir bench --json` prints it, expected {expected}");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BenchReport))]
sealed partial class BenchJson : JsonSerializerContext;
