namespace Kvasir.Inference.Model;

/// <summary>How much of a model's weights is in memory, in bytes of the file.</summary>
public readonly record struct LoadProgress(long Done, long Total);
