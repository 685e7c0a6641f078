using System.Diagnostics;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>What reading and converting weights allocates.</summary>
[Collection(nameof(Allocations))]
public class FormatAllocationTests
{
    const int ThreadBytes = 256;
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    public static TheoryData<TensorType> AllTypes => RowFormatTests.AllTypes;

    [Theory, MemberData(nameof(AllTypes))]
    public void Converting_a_row_allocates_nothing(TensorType type)
    {
        byte[] row = new byte[type.RowBytes(1024)];
        float[] values = new float[1024];
        Assert.Equal(0, Allocations.Of(() =>
        {
            RowFormat.Dequantize(type, row, values);
            if (RowFormat.CanQuantize(type))
                RowFormat.Quantize(type, values, row);
        }));
    }

    /// <summary>
    /// So what a file makes it allocate can be told while others work, as <see cref="GgufFuzzTests"/> does: threads that pack weights
    /// leave no more than themselves.
    /// </summary>
    [Fact]
    public void A_model_file_is_read_by_the_thread_that_asks()
    {
        using var folder = new TemporaryFolder();
        string path = TinyModel.Qwen3.WriteTo(folder["tiny.gguf"]);
        long others = long.MaxValue, most = 2 * Environment.ProcessorCount * ThreadBytes, start = Stopwatch.GetTimestamp();
        while (others > most && Stopwatch.GetElapsedTime(start) < s_patience) // the runtime compiles in the background, now and then
        {
            (long all, long own) = (GC.GetTotalAllocatedBytes(precise: true), GC.GetAllocatedBytesForCurrentThread());
            GgufFuzzTests.ReadAll(path);
            own = GC.GetAllocatedBytesForCurrentThread() - own;
            others = Math.Min(others, GC.GetTotalAllocatedBytes(precise: true) - all - own);
        }
        Assert.InRange(others, 0, most);
    }
}
