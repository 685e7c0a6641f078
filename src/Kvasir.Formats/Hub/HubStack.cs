using Kvasir.Formats.Safetensors;

namespace Kvasir.Formats.Hub;

/// <summary>A tensor where it is stored.</summary>
readonly record struct HubPart(SafetensorsFile File, StoredTensor Stored);

/// <summary>The matrices of all experts, each of which is a tensor of its own there.</summary>
/// <param name="Shown">What they are in GGUF.</param>
/// <param name="Parts">One for each expert, of equal shapes and types.</param>
sealed record HubStack(StoredTensor Shown, HubPart[] Parts) : HubTensor(Shown)
{
    long RowsOfPart => Shown.Shape[1];

    public override ReadOnlySpan<byte> Row(long row)
    {
        HubPart part = Parts[row / RowsOfPart];
        return part.File.Row(part.Stored, row % RowsOfPart);
    }

    public override void Read(long firstRow, Span<byte> rows)
    {
        foreach ((HubPart part, long first, long count) in Stretches(firstRow, rows.Length / Shown.RowBytes))
        {
            Span<byte> bytes = rows[..checked((int)(count * Shown.RowBytes))];
            part.File.Read(part.Stored, first, bytes);
            rows = rows[bytes.Length..];
        }
    }

    public override void Forget(long firstRow, long rows)
    {
        foreach ((HubPart part, long first, long count) in Stretches(firstRow, rows))
            part.File.Forget(part.Stored, first, count);
    }

    IEnumerable<(HubPart Part, long First, long Count)> Stretches(long firstRow, long rows)
    {
        for (long row = firstRow, count; row < firstRow + rows; row += count)
        {
            count = Math.Min(RowsOfPart - row % RowsOfPart, firstRow + rows - row);
            yield return (Parts[row / RowsOfPart], row % RowsOfPart, count);
        }
    }
}
