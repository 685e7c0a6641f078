using System.Globalization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Inference.Scheduling;

/// <summary>What a sequence that is longer than the pool reads from outside it, in words.</summary>
public static class StreamText
{
    /// <summary>One line: <c>streams 60 of 68 blocks: 20 in host, 40 (7.5 MiB) from disk, about 12 ms a step</c>.</summary>
    /// <param name="use">What is read.</param>
    /// <param name="stepSeconds">What a step took; 0 when there was none.</param>
    public static string Of(StreamUse use, double stepSeconds)
    {
        ArgumentNullException.ThrowIfNull(use);
        List<string> parts = [];
        if (use.Host > 0)
            parts.Add($"{use.Host:N0} in {Tier.Host.Name()}");
        if (use.Disk > 0)
            parts.Add(string.Create(CultureInfo.InvariantCulture,
                $"{use.Disk:N0} ({use.DiskBytes / 1048576.0:0.0} MiB) from {Tier.Disk.Name()}"));
        if (stepSeconds > 0)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"about {1000 * stepSeconds:0.#} ms a step"));
        return $"streams {use.Host + use.Disk:N0} of {use.Blocks:N0} blocks: {string.Join(", ", parts)}";
    }
}
