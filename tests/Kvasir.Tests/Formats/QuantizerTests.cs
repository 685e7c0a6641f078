using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>Matrices change their type, everything else is copied, and the output is complete or absent.</summary>
public sealed class QuantizerTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<TensorType, uint> FileTypes => new()
    {
        { TensorType.F32, 0 }, { TensorType.F16, 1 }, { TensorType.Q4_0, 2 }, { TensorType.Q4_1, 3 }, { TensorType.Q8_0, 7 },
        { TensorType.Q5_0, 8 }, { TensorType.Q5_1, 9 }, { TensorType.BF16, 32 }, { TensorType.Q6_K, 18 },
    };

    [Theory, MemberData(nameof(FileTypes))]
    public void Matrices_take_the_type_and_everything_else_stays(TensorType type, uint fileType)
    {
        TinyModel everything = TinyModel.Qwen3 with
        {
            Embedding = type == TensorType.Q6_K ? 256 : 64,
            TiedOutput = false,
            RopeFrequencies = true,
            Biases = true,
        };
        using GgufFile source = GgufFile.Open(everything.WriteTo(_folder["in.gguf"]));
        Quantize(source, _folder["out.gguf"], type);
        using GgufFile output = GgufFile.Open(_folder["out.gguf"]);

        Assert.Equal(fileType, output.Metadata["general.file_type"]);
        Assert.Equal(2u, output.Metadata["general.quantization_version"]);
        Assert.All(source.Metadata.Keys, key => Assert.Equal(source.Metadata[key], output.Metadata[key], SameValue));
        Assert.Equal(
            source.Tensors.Select(tensor => (tensor.Name, tensor.ShapeText)),
            output.Tensors.Select(tensor => (tensor.Name, tensor.ShapeText)));
        foreach (StoredTensor tensor in output.Tensors)
        {
            Assert.Equal(tensor.Shape.Length == 2 && tensor.Columns % type.BlockElements() == 0 ? type : TensorType.F32, tensor.Type);
            for (long row = 0; row < tensor.Rows; row++) Assert.Equal(Converted(source, tensor, row), output.Row(tensor, row).ToArray());
        }
    }

    [Fact]
    public void A_matrix_whose_rows_are_no_whole_blocks_stays_as_it_was()
    {
        using GgufFile source = GgufFile.Open((TinyModel.Llama with { FeedForward = 80 }).WriteTo(_folder["in.gguf"]));
        Quantize(source, _folder["out.gguf"], TensorType.Q8_0);
        using GgufFile output = GgufFile.Open(_folder["out.gguf"]);

        Assert.Equal(TensorType.F32, output.GetTensor("blk.0.ffn_down.weight").Type); // 80 columns
        Assert.Equal(TensorType.Q8_0, output.GetTensor("blk.0.ffn_up.weight").Type);  // 64 columns
    }

    /// <summary>llama.cpp's rule: of 16 layers these have values and down projections of six bits.</summary>
    [Fact]
    public void The_mixture_gives_more_bits_where_they_help()
    {
        int[] more = [0, 1, 4, 7, 10, 13, 14, 15];
        TensorType? Of(string name, long columns = 256, bool isTied = false) =>
            WeightMix.All["q4_k_m"].TypeOf(name, columns, layers: 16, isTied);
        foreach (string part in (string[])["attn_v", "ffn_down"])
            Assert.Equal(more, Enumerable.Range(0, 16).Where(layer => Of($"blk.{layer}.{part}.weight") == TensorType.Q6_K));
        foreach (string part in (string[])["attn_q", "attn_k", "attn_output", "ffn_gate", "ffn_up"])
            Assert.All(Enumerable.Range(0, 16), layer => Assert.Equal(TensorType.Q4_K, Of($"blk.{layer}.{part}.weight")));
        Assert.Equal(TensorType.Q5_K, Of("blk.0.attn_qkv.weight"));
        Assert.Equal((TensorType.Q6_K, TensorType.Q4_K), (Of("output.weight"), Of("token_embd.weight")));
        Assert.Equal(TensorType.Q6_K, Of("token_embd.weight", isTied: true));
        Assert.Equal((TensorType.Q5_0, TensorType.Q8_0, null),
            (Of("blk.2.attn_v.weight", 96), Of("blk.0.attn_v.weight", 96), Of("blk.2.attn_v.weight", 40)));
    }

    [Fact]
    public void A_mixture_is_written_with_its_name()
    {
        using GgufFile source = GgufFile.Open((TinyModel.Llama with { Embedding = 256 }).WriteTo(_folder["in.gguf"]));
        Quantizer.Quantize(source, _folder["out.gguf"], WeightMix.All["q4_k_m"], cancellation: TestContext.Current.CancellationToken);
        using GgufFile output = GgufFile.Open(_folder["out.gguf"]);
        Assert.Equal(15u, output.Metadata["general.file_type"]);
        Assert.Equal([TensorType.F32, TensorType.Q4_K, TensorType.Q5_0, TensorType.Q6_K, TensorType.Q8_0],
            output.Tensors.Select(tensor => tensor.Type).Distinct().OrderBy(type => type.DisplayName()));
    }

    [Fact]
    public void The_same_input_gives_the_same_bytes()
    {
        using GgufFile source = GgufFile.Open(TinyModel.Qwen2.WriteTo(_folder["in.gguf"]));
        Quantize(source, _folder["one.gguf"], TensorType.Q5_1);
        Quantize(source, _folder["two.gguf"], TensorType.Q5_1);

        Assert.Equal(File.ReadAllBytes(_folder["one.gguf"]), File.ReadAllBytes(_folder["two.gguf"]));
    }

    [Fact]
    public void Quantising_to_the_type_it_has_copies_every_tensor()
    {
        using GgufFile source = GgufFile.Open((TinyModel.Llama with { Type = TensorType.Q4_0 }).WriteTo(_folder["in.gguf"]));
        Quantize(source, _folder["out.gguf"], TensorType.Q4_0);
        using GgufFile output = GgufFile.Open(_folder["out.gguf"]);

        foreach (StoredTensor tensor in source.Tensors)
            Assert.Equal(source.Row(tensor, 0).ToArray(), output.Row(output.GetTensor(tensor.Name), 0).ToArray());
    }

    [Fact]
    public void Extra_strings_are_added_and_replaced()
    {
        using GgufFile source = GgufFile.Open(TinyModel.Llama.WriteTo(_folder["in.gguf"]));
        Quantize(source, _folder["out.gguf"], TensorType.F16, new() { ["general.name"] = "renamed", ["general.license"] = "mit" });
        using GgufFile output = GgufFile.Open(_folder["out.gguf"]);

        Assert.Equal(("renamed", "mit"), (output.Metadata.GetString("general.name"), output.Metadata.GetString("general.license")));
    }

    [Fact]
    public void A_string_in_place_of_a_number_is_refused()
    {
        using GgufFile source = GgufFile.Open(TinyModel.Llama.WriteTo(_folder["in.gguf"]));
        var error = Assert.Throws<ModelFormatException>(() =>
            Quantize(source, _folder["out.gguf"], TensorType.F16, new Dictionary<string, string> { ["llama.block_count"] = "9" }));

        Assert.Equal($"{_folder["in.gguf"]}: llama.block_count: a value of type uint32, expected a string, to replace it by a string",
            error.Message);
    }

    [Theory]
    [InlineData(TensorType.Q2_K), InlineData(TensorType.Q3_K), InlineData(TensorType.IQ4_XS)]
    public void A_type_that_can_only_be_read_is_refused(TensorType type)
    {
        using GgufFile source = GgufFile.Open(TinyModel.Llama.WriteTo(_folder["in.gguf"]));
        Assert.Throws<ArgumentException>(() => Quantize(source, _folder["out.gguf"], type));
        Assert.Equal(["in.gguf"], _folder.Files);
    }

    [Theory]
    [InlineData(float.NaN, "NaN"), InlineData(float.NegativeInfinity, "-Infinity"), InlineData(65536f, "65536")]
    public void A_weight_that_no_scale_can_hold_is_refused_by_its_place(float weight, string seen)
    {
        WriteMatrix(weight);
        using GgufFile source = GgufFile.Open(_folder["in.gguf"]);

        var error = Assert.Throws<ModelFormatException>(() => Quantize(source, _folder["out.gguf"], TensorType.Q8_0));
        Assert.Equal($"{_folder["in.gguf"]}: tensor 'a.weight': {seen} in row 2, column 5, expected a number of at most 65504 for q8_0",
            error.Message);
        Assert.Equal(["in.gguf"], _folder.Files);
    }

    [Theory]
    [InlineData("model.gguf"), InlineData("link.gguf")]
    public void The_output_may_be_the_input_itself(string output)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "an open mapping cannot be replaced there");
        TinyModel.Llama.WriteTo(_folder["model.gguf"]);
        TinyModel.Llama.WriteTo(_folder["copy.gguf"]);
        File.CreateSymbolicLink(_folder["link.gguf"], _folder["model.gguf"]);
        using GgufFile copy = GgufFile.Open(_folder["copy.gguf"]);
        Quantize(copy, _folder["expected.gguf"], TensorType.Q8_0);

        using GgufFile source = GgufFile.Open(_folder["model.gguf"]);
        Quantize(source, _folder[output], TensorType.Q8_0);

        Assert.Equal(File.ReadAllBytes(_folder["expected.gguf"]), File.ReadAllBytes(_folder[output]));
        StoredTensor last = source.Tensors[^1];
        Assert.Equal(copy.Row(last, 0).ToArray(), source.Row(last, 0).ToArray());
    }

    [Fact]
    public void Progress_ends_at_all_bytes()
    {
        using GgufFile source = GgufFile.Open(TinyModel.Llama.WriteTo(_folder["in.gguf"]));
        var reports = new Reports();
        Quantize(source, _folder["out.gguf"], TensorType.Q8_0, progress: reports);
        using GgufFile output = GgufFile.Open(_folder["out.gguf"]);

        Assert.Equal(output.Tensors.Sum(tensor => tensor.ByteLength), reports.Last.BytesDone);
        Assert.Equal(reports.Last.BytesTotal, reports.Last.BytesDone);
    }

    static void Quantize(
        GgufFile source, string output, TensorType type, Dictionary<string, string>? metadata = null,
        IProgress<QuantizeProgress>? progress = null) =>
        Quantizer.Quantize(source, output, WeightMix.Of(type), metadata, progress, TestContext.Current.CancellationToken);

    void WriteMatrix(float weight)
    {
        var writer = new GgufWriter();
        writer.Add("a.weight", TensorType.F32, [32, 4], (_, rows) =>
        {
            rows.Span.Clear();
            BitConverter.TryWriteBytes(rows.Span[((2 * 32 + 5) * sizeof(float))..], weight);
        });
        writer.Write(_folder["in.gguf"]);
    }

    static byte[] Converted(GgufFile source, StoredTensor target, long row)
    {
        StoredTensor tensor = source.GetTensor(target.Name);
        var values = new float[tensor.Columns];
        RowFormat.Dequantize(tensor.Type, source.Row(tensor, row), values);
        var bytes = new byte[target.RowBytes];
        RowFormat.Quantize(target.Type, values, bytes);
        return bytes;
    }

    // Immutable arrays compare by reference; these hold equal elements.
    static bool SameValue(object left, object right) =>
        left is System.Collections.IEnumerable a and not string && right is System.Collections.IEnumerable b
            ? a.Cast<object>().SequenceEqual(b.Cast<object>())
            : left.Equals(right);

    sealed class Reports : IProgress<QuantizeProgress>
    {
        public QuantizeProgress Last { get; private set; }
        public void Report(QuantizeProgress value) => Last = value;
    }
}
