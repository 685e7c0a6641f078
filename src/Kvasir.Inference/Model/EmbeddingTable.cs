using System.Buffers;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Model;

/// <summary>
/// The embedding of every token, [vocabulary, d], where it is stored: a step reads a row a token and no more. Rows of a large table are
/// read past the mapping, where each would make up to a huge page around it resident, beside packed weights that may be the same.
/// </summary>
sealed class EmbeddingTable(ITensorSource source, StoredTensor tensor)
{
    const int MostMapped = 16 << 20;

    /// <summary>One token's embedding, exactly as the format defines it. Safe to call from several threads.</summary>
    /// <exception cref="ModelFormatException">Somebody has truncated a large table's file.</exception>
    public void Row(int token, Span<float> destination)
    {
        if (tensor.ByteLength <= MostMapped)
        {
            RowFormat.Dequantize(tensor.Type, source.Row(tensor, token), destination);
            return;
        }
        int bytes = (int)tensor.RowBytes;
        byte[] rented = ArrayPool<byte>.Shared.Rent(bytes);
        Span<byte> row = rented.AsSpan(0, bytes);
        source.Read(tensor, token, row);
        RowFormat.Dequantize(tensor.Type, row, destination);
        ArrayPool<byte>.Shared.Return(rented);
    }
}
