using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Formats;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Inference.Measurement.Limits;

/// <summary>Where limits are kept between runs. Anything may be in the file: what does not check out is as good as absent.</summary>
static class LimitsFile
{
    const string FileName = "limits.json";
    const int MostBytes = 1 << 20;
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The file in a folder.</summary>
    public static string In(string folder) => Path.Combine(folder, FileName);

    /// <summary>The limits in a file, or null if there are none of this machine and format.</summary>
    public static MachineLimits? Read(string path, MachineIdentity machine)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] bytes = new byte[MostBytes];
            int length = file.ReadAtLeast(bytes, MostBytes, throwOnEndOfStream: false);
            MachineLimits? limits = JsonSerializer.Deserialize(bytes.AsSpan(0, length), LimitsJson.Default.MachineLimits);
            return limits is not null && limits.Format == MachineLimits.CurrentFormat && limits.Machine == machine && IsSound(limits)
                ? limits
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <exception cref="IOException">The file cannot be written; the message names it.</exception>
    public static void Write(string path, MachineLimits limits)
    {
        PrivateFolder.Create(Path.GetDirectoryName(path)!);
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(limits, LimitsJson.Default.MachineLimits);
        ReplacedFile.Write(path, bytes.Length, file => file.Write(bytes), OwnerOnly);
    }

    static bool IsSound(MachineLimits limits) =>
        !limits.Threads.IsDefault && !limits.Disks.IsDefault && limits.Disks.Length <= MachineLimits.MostDisks
        && limits.Threads.All(IsSound) && limits.Disks.All(IsSound);

    static bool IsSound(ThreadLimits? entry) =>
        entry is { Threads: >= 1, Int8Instructions.Length: <= 64 }
        && IsRate(entry.ReadBytesPerS) && IsRate(entry.CopyBytesPerS) && IsRate(entry.Fp32PerS) && IsRate(entry.Int8PerS);

    static bool IsSound(DiskLimits? entry) =>
        entry is { Directory.Length: >= 1 and <= 4096, FlushSeconds: > 0 and < 3600 }
        && IsRate(entry.WriteBytesPerS) && IsRate(entry.ReadBytesPerS) && IsRate(entry.RandomReadBytesPerS);

    static bool IsRate(double value) => value is > 0 and < 1e18;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(MachineLimits))]
sealed partial class LimitsJson : JsonSerializerContext;
