using System.Runtime.InteropServices;
using CsCheck;
using Kvasir.Inference;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Sequences longer than the pool: what finds no room there is read from the host's memory, or comes from the disk in every pass. Nothing
/// but time depends on it.
/// </summary>
public sealed class StreamingTests : IDisposable
{
    const int Tokens = 1100, Decoded = 3; // over three stretches

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static int[] Prompt(int length, int seed = 0) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 53 + i / 16 + seed * 7) % 700)];

    static EngineOptions Plain => new() { Context = Tokens + 64, PrefillChunk = 64, Threads = 2 };

    long Stride => new KvLayout(16, F16Codec.Instance, Kvasir.Inference.Model.KvLayers.Of(_model.Config)).StrideBytes;

    /// <summary>A pool of an eighth of the context before colder tiers of so many blocks.</summary>
    EngineOptions Streamed(int host, bool disk, int pool = (Tokens + 64) / 16 / 8 + 3, Action<string>? fault = null) => Plain with
    {
        KvDeviceBytes = (pool + (disk ? 40 : 0)) * Stride, // the ring takes its part
        KvHostBytes = host * Stride,
        KvDisk = disk ? CachedEngine.Disk(_folder["kv"]) with { FaultPoint = fault } : null,
    };

    /// <summary>The logits of a prompt's last tokens, computed in chunks and then one by one.</summary>
    static float[][] Logits(InferenceEngine engine, int[] prompt, int decoded = Decoded)
    {
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt.AsSpan()[..^decoded]);
        sequence.Blocks.BeginRequest(sequence.Tokens.Length);
        sequence.Blocks.Match(sequence.Tokens);
        List<float[]> logits = [engine.Forward(sequence, null, CancellationToken.None).ToArray()];
        foreach (int token in prompt.AsSpan()[^decoded..])
        {
            sequence.Append([token]);
            logits.Add(engine.Forward(sequence, null, CancellationToken.None).ToArray());
        }
        sequence.Blocks.EndRequest();
        return [.. logits];
    }

    float[][] Unlimited(int[] prompt, EngineOptions? options = null)
    {
        using InferenceEngine engine = new(_model, (options ?? Plain) with { KvReuse = KvReuse.WithinSequence });
        return Logits(engine, prompt);
    }

    static void AssertSameBits(float[][] expected, float[][] actual, string how)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MemoryMarshal.AsBytes<float>(expected[i]).SequenceEqual(MemoryMarshal.AsBytes<float>(actual[i])), $"{i}: {how}");
    }

    public static TheoryData<int, bool, KvReuse> Places => new()
    {
        { 100, false, KvReuse.On }, { 0, true, KvReuse.On }, { 20, true, KvReuse.On },
        { 100, false, KvReuse.WithinSequence }, { 20, true, KvReuse.WithinSequence },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public void Bits_are_those_of_an_unlimited_pool(int host, bool disk, KvReuse reuse)
    {
        int[] prompt = Prompt(Tokens);
        float[][] expected = Unlimited(prompt);
        foreach (InstructionSet set in InstructionSets.Available)
        {
            using InferenceEngine engine = new(_model, Streamed(host, disk) with { InstructionSet = set, KvReuse = reuse });
            Assert.True(engine.Cache.Device.Counts.Total < Tokens / 16 / 3, $"{engine.Cache.Device.Counts}");
            AssertSameBits(expected, Logits(engine, prompt), $"{set}, computed");
            AssertSameBits(expected, Logits(engine, prompt), $"{set}, found");
            Assert.Equal(disk, engine.Cache.Streamed?.Ring?.BytesRead > 0);
            engine.AssertNothingLeased();
        }
    }
}
