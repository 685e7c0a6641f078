using Kvasir.Formats;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Model;

/// <summary>The embedding of every token, [vocabulary, d], where it is stored: a step reads a row a token and no more.</summary>
sealed class EmbeddingTable(ITensorSource source, StoredTensor tensor)
{
    /// <summary>One token's embedding, exactly as the format defines it.</summary>
    public void Row(int token, Span<float> destination) => RowFormat.Dequantize(tensor.Type, source.Row(tensor, token), destination);
}
