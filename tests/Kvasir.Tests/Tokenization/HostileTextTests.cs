using System.Diagnostics;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Tests.Tokenization;

/// <summary>A prompt is whatever somebody sends: it costs time in proportion to its length and never an exception.</summary>
public sealed class HostileTextTests
{
    const int Length = 1 << 20;

    /// <summary>Quadratic work on a megabyte takes minutes; n log n on a slow, busy machine takes seconds.</summary>
    static readonly TimeSpan s_generous = TimeSpan.FromSeconds(40);

    static readonly string[] s_megabytes =
        ["a", " ", "\n", "1", "!", "'", "🚀", "\u0301", "\0", "\uD800", "A", " a", "ab", "<|im_start|>", "<|", "  x"];

    static readonly string[] s_worst =
        ["a", "A", "Aa", " ", "\n", " \n", "1", "!", "'", "漢", "\u0301", "é\u0301", " .", "\t ", "𝒽"];

    public static TheoryData<string, string> Repeated
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string name in new[] { "saga", "llama-spm" })
                foreach (string text in s_megabytes)
                    data.Add(name, text);
            data.Add("gpt-2", "a");
            data.Add("llama-bpe", " ");
            return data;
        }
    }

    [Theory, MemberData(nameof(Repeated))]
    public void A_megabyte_of_the_same_is_encoded_in_reasonable_time(string name, string text)
    {
        Tokenizer tokenizer = Vocabularies.Named(name);
        string megabyte = string.Concat(Enumerable.Repeat(text, Length / text.Length));
        long start = Stopwatch.GetTimestamp();

        int[] tokens = tokenizer.Encode(megabyte);

        Assert.NotEmpty(tokens);
        Assert.True(Stopwatch.GetElapsedTime(start) < s_generous, $"took {Stopwatch.GetElapsedTime(start)}");
    }

    [Fact]
    public void Every_pre_tokenizer_cuts_100_kB_of_anything_in_reasonable_time()
    {
        long start = Stopwatch.GetTimestamp();
        foreach (string name in PreTokenizers.Names.Split(", "))
            foreach (string text in s_worst)
            {
                string long100 = string.Concat(Enumerable.Repeat(text, 100_000 / text.Length)) + "x";
                Assert.Equal(long100.Length, PreTokenizers.Find(name)!.Split(long100)[^1]);
            }

        Assert.True(Stopwatch.GetElapsedTime(start) < s_generous, $"took {Stopwatch.GetElapsedTime(start)}");
    }

    [Fact]
    public void Work_of_merging_grows_no_faster_than_n_log_n()
    {
        long once = Joins(10_000), tenfold = Joins(100_000);
        Assert.InRange(tenfold, 1, once * 11);

        static long Joins(int length)
        {
            var pairs = new CountedPairs(new long[1]);
            var merger = new Merger();
            for (int i = 0; i < length; i++)
                merger.Add(i, 1, 0);
            merger.Run(pairs);
            return pairs.Counter[0];
        }
    }

    /// <summary>Doubles stretches of equal length, as BPE does with one character repeated.</summary>
    readonly struct CountedPairs(long[] counter) : IPairs
    {
        public long[] Counter => counter;

        public bool TryJoin(in Symbol left, in Symbol right, out int rank, out int token)
        {
            counter[0]++;
            (rank, token) = (left.Length, 0);
            return left.Length == right.Length;
        }
    }
}
