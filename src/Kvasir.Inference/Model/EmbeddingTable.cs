using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Model;

/// <summary>The embedding of every token, [vocabulary, d], in the mapped file: a step reads a row a token and no more.</summary>
sealed class EmbeddingTable(GgufFile file, GgufTensor tensor)
{
    /// <summary>One token's embedding, exactly as the format defines it.</summary>
    public void Row(int token, Span<float> destination) => RowFormat.Dequantize(tensor.Type, file.Row(tensor, token), destination);
}
