using Kvasir.Formats.Quantization;

namespace Kvasir.Formats.Hub;

/// <summary>
/// Matrices of all experts in MXFP4 as gpt-oss stores them: scales and choices apart, two neighbouring values a byte, and rows of gate and
/// up by turns. In GGUF a scale goes before its choices, and a byte has values j and j + 16.
/// </summary>
/// <param name="Shown">What they are in GGUF, [columns, rows, experts].</param>
/// <param name="Blocks">The choices, [columns / 2, stored rows of all experts].</param>
/// <param name="Scales">The scales, [columns / 32, stored rows of all experts].</param>
/// <param name="First">The first stored row that is one of these.</param>
/// <param name="Step">Stored rows from one of these to the next.</param>
sealed record HubMxfp4(StoredTensor Shown, HubPart Blocks, HubPart Scales, int First, int Step) : HubTensor(Shown)
{
    const int Half = 16;

    public override ReadOnlySpan<byte> Row(long row)
    {
        byte[] bytes = new byte[Shown.RowBytes];
        ReadRow(row, bytes);
        return bytes;
    }

    public override void Read(long firstRow, Span<byte> rows)
    {
        for (; !rows.IsEmpty; rows = rows[Shown.RowBytes..])
            ReadRow(firstRow++, rows[..Shown.RowBytes]);
    }

    void ReadRow(long row, Span<byte> shown)
    {
        long stored = row * Step + First;
        ReadOnlySpan<byte> blocks = Blocks.File.Row(Blocks.Stored, stored), scales = Scales.File.Row(Scales.Stored, stored);
        for (int block = 0; block < scales.Length; block++)
        {
            Span<byte> to = shown.Slice(block * MXFP4.Bytes, MXFP4.Bytes);
            to[0] = scales[block];
            ReadOnlySpan<byte> pairs = blocks.Slice(block * Half, Half);
            for (int j = 0; j < Half; j++)
                to[MXFP4.Quants + j] = (byte)(Choice(pairs, j) | Choice(pairs, j + Half) << 4);
        }
    }

    static int Choice(ReadOnlySpan<byte> pairs, int value) => pairs[value / 2] >> value % 2 * 4 & 15;
}
