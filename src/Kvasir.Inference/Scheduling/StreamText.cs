using System.Globalization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Inference.Scheduling;

/// <summary>What a sequence that is longer than the pool reads from outside it, in words.</summary>
public static class StreamText
{
    /// <summary>
    /// One line: <c>streams 60 of 68 blocks: 20 in host, 40 (7.5 MiB) from disk, about 12 ms a step (reading foreseen: at least 10 ms)</c>.
    /// </summary>
    /// <param name="use">What is read.</param>
    /// <param name="stepSeconds">What a step took; 0 when there was none.</param>
    /// <param name="foreseen">What was foreseen.</param>
    public static string Of(StreamUse use, double stepSeconds, StreamForecast? foreseen)
    {
        ArgumentNullException.ThrowIfNull(use);
        string measured = stepSeconds > 0 ? $", about {Milliseconds(stepSeconds)} a step" : "";
        return $"{Read(use.Blocks, use.Host, use.Disk, use.DiskBytes)}{measured}"
            + (foreseen?.Step is { } step ? $" (reading foreseen: at least {Milliseconds(step.TotalSeconds)})" : "");
    }

    /// <summary>
    /// One line, before anything is computed: <c>a context of 65,536 tokens streams 4,000 of 4,096 blocks: …, at least 61 ms a step</c>; or
    /// that how long is not known.
    /// </summary>
    /// <param name="tokens">Tokens of the context.</param>
    /// <param name="foreseen">What a step reads of it.</param>
    public static string Ahead(int tokens, StreamForecast foreseen)
    {
        ArgumentNullException.ThrowIfNull(foreseen);
        return $"a context of {tokens:N0} tokens {Read(foreseen.Blocks, foreseen.Host, foreseen.Disk, foreseen.DiskBytes)}, "
            + (foreseen.Step is { } step ? $"at least {Milliseconds(step.TotalSeconds)} a step"
                : "how long a step takes is not known before: `kvasir limits` measures it");
    }

    static string Read(long blocks, long host, long disk, long diskBytes)
    {
        List<string> parts = [];
        if (host > 0)
            parts.Add($"{host:N0} in {Tier.Host.Name()}");
        if (disk > 0)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{disk:N0} ({diskBytes / 1048576.0:0.0} MiB) from {Tier.Disk.Name()}"));
        return $"streams {host + disk:N0} of {blocks:N0} blocks: {string.Join(", ", parts)}";
    }

    static string Milliseconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{1000 * seconds:0.#} ms");
}
