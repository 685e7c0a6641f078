namespace Kvasir.Inference.Kernels;

/// <summary>Some consecutive tiles of a stretch: rows gather them in ascending order, be it at once or part by part.</summary>
/// <param name="First">The first, from 0.</param>
/// <param name="End">The one behind the last.</param>
/// <param name="Ends">Whether nothing of the stretch is gathered afterwards.</param>
readonly record struct TilePart(int First, int End, bool Ends)
{
    /// <summary>Tiles of a stretch.</summary>
    public const int OfStretch = AttentionInput.Stretch / AttentionInput.Tile;

    public static readonly TilePart All = From(0);

    /// <summary>Whether nothing of the stretch was gathered before.</summary>
    public bool Begins => First == 0;

    /// <summary>The rest of a stretch.</summary>
    public static TilePart From(int first) => new(first, OfStretch, Ends: true);
}
