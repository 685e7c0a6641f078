using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>A model in several files is the model in one.</summary>
public sealed class GgufShardsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly string _whole;

    public GgufShardsTests() => _whole = TinyModel.Qwen2.WriteTo(_folder["whole.gguf"]);

    public void Dispose() => _folder.Dispose();

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public void Parts_are_one_model(int parts)
    {
        string path = SplitGguf.Write(_whole, _folder["m"], parts);
        using LanguageModel split = LanguageModel.Load(path), whole = LanguageModel.Load(_whole);
        Assert.Equal(whole.Parameters, split.Parameters);
        Assert.Equal(whole.Digest, split.Digest);
        Assert.Equal(whole.Metadata.Keys, split.Metadata.Keys);
        using IModelFile from = ModelFiles.Open(path);
        Quantizer.Quantize(from, _folder["one.gguf"], WeightMix.Of(TensorType.F32), cancellation: TestContext.Current.CancellationToken);
        using LanguageModel one = LanguageModel.Load(_folder["one.gguf"]);
        Assert.Equal(whole.Digest, one.Digest);
    }

    [Fact]
    public void A_part_that_is_missing_is_named()
    {
        string path = SplitGguf.Write(_whole, _folder["m"], 3), second = SplitGguf.Path(_folder["m"], 2, 3);
        File.Delete(second);
        Fails(path, $"{second}: file: it does not exist, expected part 2 of 3, beside the others");
    }

    [Fact]
    public void A_further_part_names_the_first()
    {
        string path = SplitGguf.Write(_whole, _folder["m"], 2);
        Fails(SplitGguf.Path(_folder["m"], 2, 2), $"name: a further part of a model, expected its first, {path}");
        Fails(SplitGguf.Path(_folder["m"], 7, 2), $"expected its first, {path}");
        Fails(SplitGguf.Path(_folder["m"], 0, 0), "name: a part of none, expected parts that are numbered from 1");
        Fails(SplitGguf.Path(_folder["m"], 1, 99999), "expected part 1 of 99999");
    }

    [Theory]
    [InlineData("no", 1, 0, "split.no: 0, expected 1")]
    [InlineData("count", 1, 3, "split.count: 3, expected 2")]
    [InlineData("tensors.count", 0, 7, "split.tensors.count: 7, expected ")]
    [InlineData("count", 0, -1, "split.count: -1, expected 2")]
    public void Parts_that_contradict_their_names_are_refused(string key, int part, int value, string expected) =>
        Fails(SplitGguf.Write(_whole, _folder["m"], 2, (of, name, usual) => of == part && name == key ? value : usual), expected);

    [Fact]
    public void Parts_of_two_models_are_refused()
    {
        string path = SplitGguf.Write(_whole, _folder["m"], 2, tensors: (_, index) => index < 3);
        Fails(path, "expected each tensor once");
        Fails(SplitGguf.Write(_whole, _folder["m"], 2, tensors: (part, index) => part == 0 && index < 3), "split.tensors.count: ");
    }

    [Fact]
    public void A_part_alone_under_another_name_is_refused()
    {
        File.Move(SplitGguf.Write(_whole, _folder["m"], 2), _folder["part.gguf"]);
        Fails(_folder["part.gguf"], "split.count: 2, expected one file that holds the whole model");
    }

    static void Fails(string path, string expected)
    {
        var error = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(path).Dispose());
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }
}
