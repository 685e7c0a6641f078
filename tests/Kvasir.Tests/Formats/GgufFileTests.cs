using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>Well-formed files open; every other file is refused with one line that names file, field, what was seen and expected.</summary>
public sealed class GgufFileTests : IDisposable
{
    const ulong Huge = 1UL << 63;

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2), InlineData(3)]
    public void A_file_gives_what_was_put_in(uint version)
    {
        byte[] bytes = new RawGguf { Version = version }.Key("general.architecture", 8, RawGguf.Text("llama")).Key("llama.block_count", 7)
            .Tensor("a.weight", [4, 2]).Tensor("b.weight", [32], type: 8, offset: 32).Data(66).ToArray();
        bytes[^66] = 1;
        using GgufFile file = Open(bytes);

        Assert.Equal((version, bytes.LongLength), (file.Version, file.Length));
        Assert.Equal(["general.architecture", "llama.block_count"], file.Metadata.Keys);
        Assert.Equal(["a.weight", "b.weight"], file.Tensors.Select(tensor => tensor.Name));
        StoredTensor a = file.GetTensor("a.weight");
        Assert.Equal((4, 2, 8, 16, 32), (a.Columns, a.Rows, a.Elements, a.RowBytes, a.ByteLength));
        Assert.Equal(1, file.Row(a, 0)[0]);
        Assert.Equal(34, file.Row(file.GetTensor("b.weight"), 0).Length);
        Assert.False(file.TryGetTensor("c.weight", out _));
    }

    [Fact]
    public void A_larger_alignment_is_obeyed()
    {
        byte[] bytes = new RawGguf { Alignment = 4096 }.Key("general.alignment", 4096).Tensor("a", [1]).Data(4).ToArray();
        using GgufFile file = Open(bytes);

        Assert.Equal(4096, file.GetTensor("a").Offset);
    }

    [Fact]
    public unsafe void Disposing_twice_is_harmless_and_reading_afterwards_is_refused()
    {
        GgufFile file = Open(new RawGguf().Tensor("a", [1]).Data(4).ToArray());
        StoredTensor tensor = file.GetTensor("a");
        file.Dispose();
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(() => { _ = file.Pointer(tensor); });
        Assert.Throws<ObjectDisposedException>(() => file.Row(tensor, 0).Length);
    }

    [Fact]
    public void A_tensor_of_another_file_and_a_row_outside_are_refused()
    {
        using GgufFile file = Open(new RawGguf().Tensor("a", [1]).Data(4).ToArray());
        StoredTensor tensor = file.GetTensor("a");

        Assert.Throws<ArgumentException>(() => file.Row(tensor with { Offset = 1 << 20 }, 0).Length);
        Assert.Throws<ArgumentException>(() => file.Row(tensor with { ByteLength = long.MaxValue }, 0).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Row(tensor, 1).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Row(tensor, -1).Length);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        using GgufFile file = Open(new RawGguf().Tensor("a", [1]).Data(4).ToArray());

        var error = Assert.Throws<ModelFormatException>(() => file.GetTensor("output.weight"));
        Assert.Equal($"{file.Path}: tensor 'output.weight': missing among 1 tensors, expected one of this name", error.Message);
    }

    [Fact]
    public void A_missing_file_is_refused() =>
        RefusesPath(_folder["none.gguf"], "file: it does not exist, expected a GGUF file");

    [Fact]
    public void A_broken_link_is_refused()
    {
        File.CreateSymbolicLink(_folder["link.gguf"], _folder["none.gguf"]);
        RefusesPath(_folder["link.gguf"], "file: it does not exist, expected a GGUF file");
    }

    [Fact]
    public void A_link_in_a_circle_is_refused()
    {
        File.CreateSymbolicLink(_folder["one.gguf"], _folder["two.gguf"]);
        File.CreateSymbolicLink(_folder["two.gguf"], _folder["one.gguf"]);
        Assert.StartsWith($"{_folder["one.gguf"]}: cannot be opened: ", Refuse(_folder["one.gguf"]).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_is_refused() => RefusesPath(Path.GetTempPath(), "file: a directory, expected a GGUF file");

    [Fact]
    public void An_empty_file_is_refused() => Refuses([], "file: it is empty or not a regular file, expected a GGUF file");

    [Fact]
    public void A_device_is_refused()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "needs /dev/zero");
        RefusesPath("/dev/zero", "file: it is empty or not a regular file, expected a GGUF file");
    }

    [Fact]
    public void An_unreadable_file_is_refused()
    {
        string path = _folder.Write("locked.gguf", new RawGguf().ToArray());
        using var locked = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.StartsWith($"{path}: cannot be opened: ", Refuse(path).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_that_no_system_has_is_refused() =>
        Assert.StartsWith("a\\u{0}b: cannot be opened: ", Refuse("a\0b").Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("#!/bin/sh\necho no", @"magic: not a GGUF file, it starts with '#!/bin/sh\u{a}echo n', expected 'GGUF'")]
    [InlineData("GG", "magic: not a GGUF file, it starts with 'GG', expected 'GGUF'")]
    [InlineData("\u001b[2J<html>", @"magic: not a GGUF file, it starts with '\u{1b}[2J<html>', expected 'GGUF'")]
    public void Another_kind_of_file_is_refused_with_its_beginning(string text, string message) => Refuses(RawGguf.Bytes(text), message);

    [Theory]
    [InlineData(1, "version: 1, expected 2 or 3; convert the model again with a current tool")]
    [InlineData(4, "version: 4, expected 2 or 3")]
    [InlineData(0, "version: 0, expected 2 or 3")]
    [InlineData(0x0300_0000, "version: 0x03000000, so the file is big endian, expected a little-endian file of version 2 or 3")]
    public void Another_version_is_refused(uint version, string message) =>
        Refuses(new RawGguf { Version = version }.ToArray(), $"header {message}");

    [Fact]
    public void A_file_cut_short_is_refused_wherever_it_is_cut()
    {
        byte[] bytes = new RawGguf().Key("k", 8, RawGguf.Text("value")).Array("a", 4, 2, new byte[8]).Tensor("t", [8]).Data(32).ToArray();
        for (int length = 1; length < bytes.Length; length++)
            Refuse(_folder.Write($"cut{length}.gguf", bytes[..length]));
        Refuses(bytes[..6], "header version: the file ends at byte 6, expected 4 bytes from byte 4");
    }

    [Theory]
    [InlineData(Huge), InlineData(ulong.MaxValue), InlineData(2)]
    public void A_count_of_entries_beyond_the_file_is_refused(ulong count) => Refuses(
        new RawGguf { ClaimedEntries = count }.Key("k", 0, 1).ToArray(),
        $"header metadata count: {count}, expected at most 1, since 14 bytes remain");

    [Theory]
    [InlineData(Huge), InlineData(ulong.MaxValue), InlineData(2)]
    public void A_count_of_tensors_beyond_the_file_is_refused(ulong count) => Refuses(
        new RawGguf { ClaimedTensors = count }.Tensor("t", [1]).ToArray(),
        $"header tensor count: {count}, expected at most 1, since 41 bytes remain");

    [Fact]
    public void A_string_longer_than_any_sane_one_is_refused() => Refuses(
        new RawGguf().Key("k", 8, BitConverter.GetBytes(Huge)).ToArray(), $"k: {Huge} bytes long, expected at most 16777216");

    [Fact]
    public void A_string_beyond_the_file_is_refused() => Refuses(
        new RawGguf().Key("k", 8, BitConverter.GetBytes(9UL)).ToArray(), "k: the file ends at byte 45, expected 9 bytes from byte 45");

    [Fact]
    public void A_string_that_is_no_UTF8_is_refused() => Refuses(
        new RawGguf().Key("k", 8, RawGguf.Text([0x61, 0xFF])).ToArray(), "k: 'aÿ', expected valid UTF-8");

    [Fact]
    public void A_key_that_is_no_UTF8_is_refused() => Refuses(
        new RawGguf().Key([0xC0, 0x80], 0, 1).ToArray(), @"metadata entry 0 key: 'À\u{80}', expected valid UTF-8");

    [Fact]
    public void An_empty_key_is_refused() => Refuses(
        new RawGguf().Key("", 0, 1, 0).ToArray(), "metadata entry 0 key: empty, expected a name");

    [Fact]
    public void A_key_that_occurs_twice_is_refused() => Refuses(
        new RawGguf().Key("k", 1).Key("k", 2).ToArray(), "k: the key occurs twice, expected each key once");

    [Fact]
    public void An_unknown_type_of_value_is_refused() => Refuses(
        new RawGguf().Key("k", 13, 1).ToArray(), "k type: 13, expected a value type from 0 to 12");

    [Fact]
    public void A_bool_of_another_value_is_refused() => Refuses(
        new RawGguf().Key("k", 7, 2).ToArray(), "k: 2, expected a bool of 0 or 1");

    [Theory]
    [InlineData(Huge), InlineData(3)]
    public void An_array_beyond_the_file_is_refused(ulong length) => Refuses(
        new RawGguf().Array("k", 4, length, new byte[8]).ToArray(), $"k length: {length}, expected at most 2, since 8 bytes remain");

    [Fact]
    public void An_array_of_strings_beyond_the_file_is_refused_before_room_is_made_for_it() => Refuses(
        new RawGguf().Array("k", 8, 1UL << 31, new byte[8]).ToArray(), $"k length: {1UL << 31}, expected at most 1, since 8 bytes remain");

    [Fact]
    public void An_array_of_arrays_is_refused() => Refuses(
        new RawGguf().Array("k", 9, 1, new byte[16]).ToArray(),
        "k element type: an array of arrays, expected an array of numbers, bools or strings");

    [Fact]
    public void An_array_of_an_unknown_type_is_refused() => Refuses(
        new RawGguf().Array("k", 99, 1, 0).ToArray(), "k element type: 99, expected a value type from 0 to 12");

    [Theory]
    [InlineData(0), InlineData(4), InlineData(48), InlineData(1 << 21)]
    public void An_alignment_that_is_none_is_refused(uint alignment) => Refuses(
        new RawGguf().Key("general.alignment", alignment).ToArray(),
        $"general.alignment: {alignment}, expected a power of two from 8 to 1048576");

    [Fact]
    public void An_alignment_of_another_type_is_refused() => Refuses(
        new RawGguf().Key("general.alignment", 8, RawGguf.Text("32")).ToArray(),
        "general.alignment: a value of type string, expected an integer");

    [Fact]
    public void A_name_two_tensors_have_is_refused() => Refuses(
        new RawGguf().Tensor("t", [1]).Tensor("t", [1], offset: 32).Data(64).ToArray(),
        "tensor 't' name: two tensors have it, expected each name once");

    [Fact]
    public void A_tensor_without_a_name_is_refused() => Refuses(
        new RawGguf().Tensor("", [1, 1]).ToArray(), "tensor 0 name: empty, expected a name");

    [Fact]
    public void A_tensor_with_an_endless_name_is_refused() => Refuses(
        new RawGguf().Tensor(new string('n', 257), [1]).ToArray(), "tensor 0 name: 257 bytes long, expected at most 256");

    [Fact]
    public void A_tensor_name_cannot_break_the_line_or_reach_the_terminal() => Refuses(
        new RawGguf().Tensor("a\n\u001b[31m\u202e" + new string('x', 100), [1], type: 77).ToArray(),
        @"tensor 'a\u{a}\u{1b}[31m\u{202e}" + new string('x', 56)
            + "…' type: 77, expected one of f32, f16, q4_0, q4_1, q5_0, q5_1, q8_0, "
            + "q2_k, q3_k, q4_k, q5_k, q6_k, iq3_xxs, iq4_nl, iq3_s, iq4_xs, bf16, mxfp4");

    [Theory]
    [InlineData(0), InlineData(5)]
    public void A_number_of_dimensions_other_than_one_to_four_is_refused(int dimensions) => Refuses(
        new RawGguf().Tensor("tensor", [.. Enumerable.Repeat(1UL, dimensions)]).Data(32).ToArray(),
        $"tensor 'tensor' dimensions: {dimensions}, expected 1 to 4");

    [Theory]
    [InlineData(1UL, 0UL, "0 in dimension 1")]
    [InlineData(Huge, 1UL, "9223372036854775808 in dimension 0")]
    [InlineData(1UL << 32, 1UL << 32, "4294967296 in dimension 1")]
    public void A_shape_that_is_empty_or_overflows_is_refused(ulong columns, ulong rows, string seen) => Refuses(
        new RawGguf().Tensor("t", [columns, rows]).ToArray(),
        $"tensor 't' shape: {seen}, expected sizes from 1 whose product fits in the file");

    [Fact]
    public void Rows_beyond_what_a_span_can_hold_are_refused() => Refuses(
        new RawGguf().Tensor("t", [1UL << 30]).ToArray(), "tensor 't' shape: rows of 4294967296 bytes, expected at most 2147483647");

    [Theory]
    [InlineData(8, 33, "33 columns, expected a multiple of q8_0's block of 32")]
    [InlineData(14, 128, "128 columns, expected a multiple of q6_k's block of 256")]
    public void Rows_of_incomplete_blocks_are_refused(uint type, ulong columns, string message) => Refuses(
        new RawGguf().Tensor("t", [columns], type).ToArray(), $"tensor 't' shape: {message}");

    [Theory]
    [InlineData(16, "16 (iq2_xxs)"), InlineData(40, "40 (nvfp4)"), InlineData(uint.MaxValue, "4294967295"), InlineData(4, "4 (q4_2)")]
    public void A_type_that_is_not_read_is_refused_by_name(uint type, string seen) => Refuses(
        new RawGguf().Tensor("t", [256], type).ToArray(),
        $"tensor 't' type: {seen}, expected one of {TensorTypes.AllNames}");

    [Theory]
    [InlineData(4), InlineData(33), InlineData(ulong.MaxValue)]
    public void A_misaligned_offset_is_refused(ulong offset) => Refuses(
        new RawGguf().Tensor("t", [1], offset: offset).Data(64).ToArray(),
        $"tensor 't' offset: {offset}, expected a multiple of the alignment 32");

    [Theory]
    [InlineData(0, 9), InlineData(32, 1), InlineData(1UL << 62, 1)]
    public void A_tensor_beyond_the_file_is_refused(ulong offset, ulong columns) => Refuses(
        new RawGguf().Tensor("t", [columns], offset: offset).Data(32).ToArray(),
        $"tensor 't' data: {columns * 4} bytes at offset {offset}, expected an end within the 32 bytes of data");

    [Fact]
    public void A_file_that_ends_before_its_data_is_refused() => Refuses(
        new RawGguf().Tensor("t", [1]).ToArray(), "tensor data: the file ends at byte 57, expected data from byte 64");

    [Fact]
    public void Tensors_that_share_bytes_are_refused() => Refuses(
        new RawGguf().Tensor("b", [4], offset: 32).Tensor("a", [9]).Data(64).ToArray(),
        "tensor 'b' data: shares bytes with tensor 'a', expected tensors apart from each other");

    /// <summary>Weights are read long after the header was checked.</summary>
    [Fact]
    public void A_file_that_is_truncated_while_it_is_read_says_so()
    {
        using GgufFile file = Open(new RawGguf().Tensor("t", [1024]).Data(4096).ToArray());
        StoredTensor tensor = file.GetTensor("t");
        byte[] row = new byte[4096];
        file.Read(tensor, 0, row);
        using (FileStream stream = new(_folder["model.gguf"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            stream.SetLength(tensor.Offset + 1000);
        var error = Assert.Throws<ModelFormatException>(() => file.Read(tensor, 0, row));
        Assert.Equal(
            $"{file.Path}: tensor 't': the file ends at byte {tensor.Offset + 1000}, expected data up to byte {tensor.Offset + 4096}",
            error.Message);
    }

    GgufFile Open(byte[] bytes) => GgufFile.Open(_folder.Write("model.gguf", bytes));

    void Refuses(byte[] bytes, string message) => RefusesPath(_folder.Write("bad.gguf", bytes), message);

    static void RefusesPath(string path, string message) => Assert.Equal($"{path}: {message}", Refuse(path).Message);

    static ModelFormatException Refuse(string path)
    {
        var error = Assert.Throws<ModelFormatException>(() => GgufFile.Open(path).Dispose());
        Assert.DoesNotContain(error.Message, char.IsControl);
        return error;
    }
}
