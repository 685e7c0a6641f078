using System.Runtime.InteropServices;
using CsCheck;
using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Tests.Kernels;

public unsafe class AttentionTests
{
    /// <summary>Several stretches, the last of which ends within a tile and within sixteen.</summary>
    const int Long = 1117;

    internal static readonly AttentionShape Smol = new(F16Codec.Instance, KvHeads: 3, Group: 3, HeadDim: 64, Tokens: Long);

    public static TheoryData<string> Shapes => [.. s_shapes.Keys];

    static readonly Dictionary<string, AttentionShape> s_shapes = new()
    {
        ["grouped"] = Smol,
        ["one head to a group, wide, windowed"] = new(F16Codec.Instance, KvHeads: 2, Group: 1, HeadDim: 128, Tokens: 700, Window: 300),
        ["one KV head"] = new(F16Codec.Instance, KvHeads: 1, Group: 5, HeadDim: 32, Tokens: 600),
        ["a window shorter than a tile"] = new(F16Codec.Instance, KvHeads: 1, Group: 2, HeadDim: 96, Tokens: 1100, Window: 21),
        ["an odd head dim"] = new(F16Codec.Instance, KvHeads: 2, Group: 2, HeadDim: 20, Tokens: 530, Window: 513),
        ["a tiny head dim, exact"] = new(F32Codec.Instance, KvHeads: 1, Group: 3, HeadDim: 8, Tokens: 530),
        ["values wider than keys"] = new(F16Codec.Instance, KvHeads: 2, Group: 2, HeadDim: 64, Tokens: 600) { ValueDim = 128 },
        ["odd, narrow values"] = new(F16Codec.Instance, KvHeads: 2, Group: 3, HeadDim: 96, Tokens: 530, Window: 100) { ValueDim = 20 },
        ["exact"] = new(F32Codec.Instance, KvHeads: 2, Group: 4, HeadDim: 64, Tokens: 520, BlockTokens: 256),
    };

    /// <summary>Against softmax(q·K)·V in double precision: any number of heads, groups, widths, tokens, windows.</summary>
    [Fact]
    public void Attention_is_that_of_double_precision() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 4], OneOf(8, 16, 20, 32, 64, 96), Gen.Int[1, 150],
            OneOf(0, 1, 5, 33, 70), OneOf(16, 64)).Sample(
            (kvHeads, group, dim, tokens, window, blockTokens) =>
            {
                var shape = new AttentionShape(F32Codec.Instance, kvHeads, group, dim, tokens, window, blockTokens);
                foreach (InstructionSet set in InstructionSets.Available)
                    AssertClose(shape, set);
            }, iter: 60);

    /// <summary>The same where values have another width than keys.</summary>
    [Fact]
    public void Values_may_have_another_width_than_keys() =>
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 3], OneOf(8, 20, 32, 64, 96), OneOf(8, 20, 32, 64, 128), Gen.Int[1, 150], OneOf(0, 33)).Sample(
            (kvHeads, group, keyDim, valueDim, tokens, window) =>
            {
                var shape = new AttentionShape(F32Codec.Instance, kvHeads, group, keyDim, tokens, window) { ValueDim = valueDim };
                foreach (InstructionSet set in InstructionSets.Available)
                    AssertClose(shape, set);
            }, iter: 40);

    [Theory]
    [InlineData(0)]
    [InlineData(600)]
    [InlineData(64)]
    public void And_over_several_stretches(int window) =>
        AssertClose(new AttentionShape(F32Codec.Instance, KvHeads: 1, Group: 2, HeadDim: 16, Tokens: Long, Window: window),
            InstructionSets.Available.Last());

    [Theory, MemberData(nameof(Shapes))]
    public void Every_instruction_set_gives_the_same_bits(string shape)
    {
        using var problem = new AttentionProblem(s_shapes[shape]);
        float[] expected = problem.Attend(InstructionSets.Available.Last(), threads: 1, chunk: s_shapes[shape].Tokens);
        foreach (InstructionSet set in InstructionSets.Available)
            AssertSameBits(expected, problem.Attend(set, threads: 1, chunk: s_shapes[shape].Tokens), $"{set}");
    }

    /// <summary>
    /// One thread takes the stretches of a run one after the other; several threads share them out and merge them when there are few runs.
    /// </summary>
    [Theory, MemberData(nameof(Shapes))]
    public void Every_chunking_and_thread_count_gives_the_same_bits(string shape)
    {
        using var problem = new AttentionProblem(s_shapes[shape]);
        float[] expected = problem.Attend(InstructionSets.Available.Last(), threads: 1, chunk: s_shapes[shape].Tokens);
        foreach ((int threads, int chunk) in ((int, int)[])[(1, 1), (2, 1), (3, 1), (2, 3), (3, 50),
            (2, 64), (1, 100), (8, 256), (2, 2000)])
            AssertSameBits(expected, problem.Attend(InstructionSets.Available.Last(), threads, chunk),
                $"{threads} threads, chunks of {chunk}");
    }

    [Theory, MemberData(nameof(Shapes))]
    public void What_memory_holds_beyond_the_sequence_is_never_used(string shape)
    {
        using AttentionProblem clean = new(s_shapes[shape], beyond: 0), dirty = new(s_shapes[shape], beyond: 0xFF); // NaN, in both codecs
        float[] expected = clean.Attend(InstructionSets.Available.Last(), 1, chunk: 37); // of every instruction set
        foreach (InstructionSet set in InstructionSets.Available)
            AssertSameBits(expected, dirty.Attend(set, 1, chunk: 37), $"{set}");
    }

    /// <summary>
    /// A value that is not a number reaches those who see it, and nobody else, also those that attend together with them.
    /// </summary>
    [Fact]
    public void What_is_not_a_number_is_seen_by_those_who_may_see_it()
    {
        const int poisoned = 549, window = 100;
        using var problem = new AttentionProblem(Smol with { Window = window });
        problem.Values[poisoned][0] = float.NaN;
        float[] output = problem.Attend(InstructionSets.Available.Last(), threads: 1, chunk: Long);
        for (int token = 0; token < Long; token++)
            Assert.Equal(token is >= poisoned and < poisoned + window, float.IsNaN(output[token * problem.Values.Width * Smol.Group]));
    }

    static Gen<int> OneOf(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    static void AssertClose(AttentionShape shape, InstructionSet set)
    {
        using var problem = new AttentionProblem(shape);
        float[] actual = problem.Attend(set, threads: 2, chunk: 256);
        int width = shape.KvHeads * shape.Group * shape.ValueDim;
        foreach (int token in shape.Tokens < 200
            ? Enumerable.Range(0, shape.Tokens)
            : [0, 63, 64, 511, 512, 575, 1023, 1024, shape.Tokens - 1])
            for (int head = 0; head < shape.KvHeads * shape.Group; head++)
            {
                double[] exact = problem.Exact(token, head);
                for (int i = 0; i < shape.ValueDim; i++)
                    Assert.Equal(exact[i], actual[token * width + head * shape.ValueDim + i], 2e-5);
            }
    }

    static void AssertSameBits(float[] expected, float[] actual, string how) =>
        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)), how);
}
