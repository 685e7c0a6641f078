namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>A name of ours in the directory stands for something that is none of ours, which is left as it is.</summary>
sealed class ForeignFileException(string path, string what) : IOException($"{path}: {what}");
