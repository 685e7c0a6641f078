using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>A file is replaced whole or not at all.</summary>
public sealed class GgufWriterTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(8u), InlineData(32u), InlineData(4096u)]
    public void Tensors_are_read_back_at_any_alignment(uint alignment)
    {
        var writer = new GgufWriter();
        writer.Set("general.alignment", alignment);
        writer.Add("a", TensorType.F32, [3, 5], (first, rows) => rows.Span.Fill((byte)(first + 1)));
        writer.Add("b", TensorType.Q8_0, [32], (_, rows) => rows.Span.Fill(9));
        Write(writer, _folder["m.gguf"]);
        using var file = GgufFile.Open(_folder["m.gguf"]);

        Assert.All(file.Tensors, tensor => Assert.Equal(0, tensor.Offset % alignment));
        Assert.Equal(Enumerable.Repeat((byte)1, 12), file.Row(file.GetTensor("a"), 4).ToArray());
        Assert.Equal(Enumerable.Repeat((byte)9, 34), file.Row(file.GetTensor("b"), 0).ToArray());
    }

    [Fact]
    public void A_large_tensor_is_asked_for_in_chunks_of_whole_rows()
    {
        const int columns = 1000, rows = 3000; // 12 MB in chunks of at most 1 MiB
        var writer = new GgufWriter();
        int chunks = 0;
        writer.Add("a", TensorType.F32, [columns, rows], (first, bytes) =>
        {
            chunks++;
            for (int i = 0; i < bytes.Length / (columns * 4); i++)
                BitConverter.TryWriteBytes(bytes.Span[(i * columns * 4)..], first + i);
        });
        Write(writer, _folder["m.gguf"]);
        using var file = GgufFile.Open(_folder["m.gguf"]);

        Assert.Equal(12, chunks);
        for (int row = 0; row < rows; row++)
            Assert.Equal(row, BitConverter.ToInt64(file.Row(file.GetTensor("a"), row)));
    }

    [Fact]
    public void A_value_set_again_is_replaced_in_its_place()
    {
        var writer = new GgufWriter();
        writer.Set("a", "1");
        writer.Set("b", 2u);
        writer.Set("a", "3");
        Write(writer, _folder["m.gguf"]);
        using var file = GgufFile.Open(_folder["m.gguf"]);

        Assert.Equal(["a", "b"], file.Metadata.Keys);
        Assert.Equal("3", file.Metadata.GetString("a"));
    }

    [Fact]
    public void What_cannot_be_written_is_refused_when_it_is_declared()
    {
        var writer = new GgufWriter();
        Assert.Throws<ArgumentException>(() => writer.Set("k", 1m));
        Assert.Throws<ArgumentException>(() => writer.Set("general.alignment", 48u));
        Assert.Throws<ArgumentException>(() => writer.Add("t", TensorType.Q8_0, [33], (_, _) => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("t", TensorType.F32, [], (_, _) => { }));
        writer.Add("t", TensorType.F32, [1], (_, _) => { });
        Assert.Throws<ArgumentException>(() => writer.Add("t", TensorType.F32, [1], (_, _) => { }));
        Assert.Throws<InvalidOperationException>(() => writer.Set("general.alignment", 64u));
    }

    [Theory]
    [InlineData(0), InlineData(10), InlineData(1000), InlineData(100_000)]
    public void A_disk_that_fills_up_leaves_the_old_file_and_nothing_else(int capacity)
    {
        _folder.Write("m.gguf", [1, 2, 3]);

        var error = Assert.Throws<IOException>(() => Large().Write(
            _folder["m.gguf"], file => new FullDisk(file, capacity), cancellation: TestContext.Current.CancellationToken));

        Assert.Equal($"{_folder["m.gguf"]}: cannot be written: No space left on device", error.Message);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(_folder["m.gguf"]));
        Assert.Equal(["m.gguf"], _folder.Files);
    }

    [Fact]
    public void A_source_that_fails_leaves_nothing()
    {
        var writer = new GgufWriter();
        writer.Add("a", TensorType.F32, [4], (_, _) => throw new InvalidOperationException("no"));

        Assert.Throws<InvalidOperationException>(() => Write(writer, _folder["m.gguf"]));
        Assert.Empty(_folder.Files);
    }

    [Fact]
    public void Cancelling_leaves_nothing()
    {
        using var cancellation = new CancellationTokenSource();
        var writer = new GgufWriter();
        writer.Add("a", TensorType.F32, [1 << 18, 8], (_, _) => cancellation.Cancel());

        Assert.Throws<OperationCanceledException>(() => writer.Write(_folder["m.gguf"], cancellation: cancellation.Token));
        Assert.Empty(_folder.Files);
    }

    [Fact]
    public void A_link_is_replaced_and_its_target_untouched()
    {
        _folder.Write("blob", [1, 2, 3]);
        File.CreateSymbolicLink(_folder["m.gguf"], _folder["blob"]);

        Write(Large(), _folder["m.gguf"]);

        Assert.Null(new FileInfo(_folder["m.gguf"]).LinkTarget);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(_folder["blob"]));
    }

    [Fact]
    public void A_folder_a_device_and_a_missing_folder_are_refused_by_name()
    {
        Assert.Equal($"{Path.GetTempPath()}: cannot be written: it is a directory", Fail(Path.GetTempPath()));
        Assert.Equal("/dev/null: cannot be written: it is a device", Fail("/dev/null"));
        Assert.StartsWith($"{_folder["none/m.gguf"]}: cannot be written: ", Fail(_folder["none/m.gguf"]), StringComparison.Ordinal);

        static string Fail(string path) => Assert.Throws<IOException>(() => Write(Large(), path)).Message;
    }

    static void Write(GgufWriter writer, string path) => writer.Write(path, cancellation: TestContext.Current.CancellationToken);

    static GgufWriter Large()
    {
        var writer = new GgufWriter();
        writer.Set("general.name", "large");
        writer.Add("a", TensorType.F32, [1000, 100], (_, rows) => rows.Span.Fill(1));
        return writer;
    }

    sealed class FullDisk(Stream inner, int capacity) : Stream
    {
        long _written;

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if ((_written += buffer.Length) > capacity) throw new IOException("No space left on device");
            inner.Write(buffer);
        }

        public override void Flush() => inner.Flush();
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
