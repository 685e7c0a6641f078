using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>Files written by other programs open, and say what they hold.</summary>
public sealed class SharedModelTests
{
    [Theory]
    [InlineData("models/saga/saga-f32.gguf", "llama", 56)]
    [InlineData("models/stories260K/stories260K.gguf", "llama", 48)]
    [InlineData("tokenizers/ggml-vocab-gpt-2.gguf", "gpt2", 0)]
    [InlineData("tokenizers/ggml-vocab-llama-spm.gguf", "llama", 0)]
    [InlineData("tokenizers/ggml-vocab-phi-3.gguf", "phi3", 0)]
    public void A_file_of_another_program_opens(string path, string architecture, int tensors)
    {
        using var file = GgufFile.Open(Checkout.Shared(path));

        Assert.Equal(architecture, file.Metadata.GetString("general.architecture"));
        Assert.Equal(tensors, file.Tensors.Count);
        Assert.NotEmpty(file.Metadata.GetStrings("tokenizer.ggml.tokens"));
        foreach (StoredTensor tensor in file.Tensors)
            Assert.Equal(tensor.RowBytes, file.Row(tensor, tensor.Rows - 1).Length);
    }

    [Fact]
    public void Saga_has_the_shapes_of_its_description()
    {
        using var file = GgufFile.Open(Checkout.Shared("models/saga/saga-f32.gguf"));

        StoredTensor embeddings = file.GetTensor("token_embd.weight");
        Assert.Equal((256, 1024, TensorType.F32), (embeddings.Columns, embeddings.Rows, embeddings.Type));
        Assert.Equal(6, file.Metadata.GetInt32("llama.block_count"));
        Assert.Equal(1e-5f, file.Metadata.GetSingle("llama.attention.layer_norm_rms_epsilon"));
    }
}
