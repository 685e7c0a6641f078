using System.Buffers.Binary;
using System.Diagnostics;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>
/// Damaged files, from fixed seeds: each either opens or is refused by a <see cref="ModelFormatException"/>, soon, and without
/// allocating more than a multiple of its size.
/// </summary>
public sealed class GgufFuzzTests : IDisposable
{
    /// <summary>
    /// All that is done to a file before its model runs. Each may throw <see cref="ModelFormatException"/> and nothing else.
    /// </summary>
    static readonly Action<GgufFile>[] s_stages =
    [
        ReadAllMetadata, TouchAllTensors,
        file => new WeightReader(file, SupportedModels.Read(file)).Read(),
        file => Tokenizer.From(file).Encode("Once upon a time"),
    ];

    // A string of one character takes 9 bytes of the file and about 40 of memory; a tensor 41 and several hundred.
    const int AllocatedPerByte = 64, AllocatedAlways = 1 << 16;
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    static readonly ulong[] Interesting =
    [
        0, 1, 2, 7, 8, 31, 33, 255, 1 << 16, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63,
        ulong.MaxValue - 7, ulong.MaxValue,
    ];

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int> Rounds
    {
        get
        {
            var rounds = new TheoryData<string, int>();
            foreach (string mutation in Mutations.Keys)
                for (int seed = 0; seed < 3; seed++)
                    rounds.Add(mutation, seed);
            return rounds;
        }
    }

    static Dictionary<string, Func<byte[], Random, byte[]>> Mutations { get; } = new()
    {
        ["bytes flipped"] = FlipBytes,
        ["integers overwritten"] = OverwriteInteger,
        ["truncated"] = (file, random) => file[..random.Next(file.Length)],
        ["blocks swapped"] = SwapBlocks,
        ["bytes inserted"] = InsertBytes,
        ["bytes removed"] = RemoveBytes,
    };

    [Theory, MemberData(nameof(Rounds))]
    public void A_damaged_file_opens_or_is_refused(string mutation, int seed)
    {
        byte[][] files = [Small(), TinyModel.Qwen3.ToBytes(), (TinyModel.Llama3 with { Type = TensorType.Q4_1 }).ToBytes()];
        Array.ForEach(files, Try); // warm up, so that no type initialiser counts
        var random = new Random(seed);
        for (int i = 0; i < 250; i++)
        {
            byte[] file = files[random.Next(files.Length)];
            try
            {
                Try(Mutations[mutation](file, random));
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"{mutation}, seed {seed}, file {i}: {e}");
            }
        }
    }

    [Fact]
    public void Every_single_byte_of_a_small_header_may_take_extreme_values()
    {
        byte[] file = Small();
        for (int at = 0; at < file.Length - 256; at++)
            foreach (byte value in (byte[])[0, 1, 0x7F, 0x80, 0xFF])
            {
                byte[] damaged = [.. file];
                damaged[at] = value;
                Try(damaged);
            }
    }

    void Try(byte[] bytes)
    {
        string path = _folder.Write("damaged.gguf", bytes);
        long allocated = GC.GetAllocatedBytesForCurrentThread(); // others test meanwhile, and have no part in it (FormatAllocationTests)
        long started = Stopwatch.GetTimestamp();
        try
        {
            ReadAll(path);
        }
        catch (ModelFormatException e)
        {
            Assert.DoesNotContain(e.Message, char.IsControl);
            Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
            Assert.InRange(e.Message.Length, 1, path.Length + 400);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, AllocatedAlways + (long)bytes.Length * AllocatedPerByte);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Patience);
    }

    /// <summary>Everything that is read of a file before its model runs.</summary>
    internal static void ReadAll(string path)
    {
        using var file = GgufFile.Open(path);
        foreach (Action<GgufFile> stage in s_stages)
            stage(file);
    }

    static void ReadAllMetadata(GgufFile file)
    {
        foreach (string key in file.Metadata.Keys) Assert.NotEmpty(file.Metadata.TypeName(key));
    }

    static unsafe void TouchAllTensors(GgufFile file)
    {
        foreach (StoredTensor tensor in file.Tensors)
        {
            byte* first = file.Pointer(tensor);
            Assert.Equal((first[0], first[tensor.ByteLength - 1]), (file.Row(tensor, 0)[0], file.Row(tensor, tensor.Rows - 1)[^1]));
        }
    }

    static byte[] Small() => new RawGguf().Key("general.architecture", 8, RawGguf.Text("llama")).Key("general.alignment", 32)
        .Array("strings", 8, 3, [.. RawGguf.Text("one"), .. RawGguf.Text(""), .. RawGguf.Text("three")])
        .Array("numbers", 5, 4, new byte[16]).Key("flag", 7, 1).Key("wide", 10, new byte[8])
        .Tensor("a.weight", [8, 4]).Tensor("b.weight", [32], type: 2, offset: 128).Data(256).ToArray();

    static byte[] FlipBytes(byte[] file, Random random)
    {
        byte[] damaged = [.. file];
        for (int flips = random.Next(1, 9); flips > 0; flips--)
            damaged[InHeader(file, random)] ^= (byte)(1 << random.Next(8));
        return damaged;
    }

    static byte[] OverwriteInteger(byte[] file, Random random)
    {
        byte[] damaged = [.. file];
        ulong value = Interesting[random.Next(Interesting.Length)];
        int at = Math.Min(InHeader(file, random), file.Length - sizeof(ulong));
        if (random.Next(2) == 0) BinaryPrimitives.WriteUInt64LittleEndian(damaged.AsSpan(at), value);
        else BinaryPrimitives.WriteUInt32LittleEndian(damaged.AsSpan(at), (uint)value);
        return damaged;
    }

    static byte[] SwapBlocks(byte[] file, Random random)
    {
        byte[] damaged = [.. file];
        int length = random.Next(1, 64), one = InHeader(file, random), other = InHeader(file, random);
        for (int i = 0; i < length && Math.Max(one, other) + i < file.Length; i++)
            (damaged[one + i], damaged[other + i]) = (damaged[other + i], damaged[one + i]);
        return damaged;
    }

    static byte[] InsertBytes(byte[] file, Random random)
    {
        var inserted = new byte[random.Next(1, 64)];
        random.NextBytes(inserted);
        int at = InHeader(file, random);
        return [.. file[..at], .. inserted, .. file[at..]];
    }

    static byte[] RemoveBytes(byte[] file, Random random)
    {
        int at = InHeader(file, random), length = Math.Min(random.Next(1, 64), file.Length - at);
        return [.. file[..at], .. file[(at + length)..]];
    }

    // Most damage should hit what is parsed, and half of it the first fields, where it goes furthest.
    static int InHeader(byte[] file, Random random) => random.Next(Math.Min(file.Length, random.Next(2) == 0 ? 512 : 8192));
}
