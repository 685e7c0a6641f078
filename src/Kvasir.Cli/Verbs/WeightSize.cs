using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>Bytes of a model's weights.</summary>
/// <param name="Bytes">All of them.</param>
/// <param name="ReadBytes">Those that a step of one sequence reads; null when it is not known which.</param>
/// <param name="How">How that is known: a type, <c>as in the file</c>, <c>as given</c>.</param>
sealed record WeightSize(long Bytes, long? ReadBytes, string How)
{
    /// <summary>The size from a flag, from the file, or from the parameters; null when none of them tells.</summary>
    /// <exception cref="UsageException">The flag makes no sense, or names a type for a model whose parameters are not known.</exception>
    public static WeightSize? Of(ModelSpec spec, string? given)
    {
        if (given is null && spec.WeightBytes is { } stored)
            return new WeightSize(stored, Share(spec, stored), "as in the file");
        if (given is not null && ByteSize.Parse(given) is { } bytes)
            return new WeightSize(bytes, Share(spec, bytes), "as given");
        ElementType type = ElementType.Find(given ?? "bf16", ElementType.OfWeights)
            ?? throw new UsageException($"--weights {Printable.Quote(given!)}: expected a size such as 20GiB, or a type of weights, one of "
                + $"{ElementType.Names(ElementType.OfWeights)}");
        if (spec.Parameters is { } parameters)
            return new WeightSize(Stored(parameters), spec.ActiveParameters is { } active ? Stored(active) : null, type.Name);
        return given is null ? null : throw new UsageException(
            $"--weights {given}: the parameters of {Printable.Line(spec.Name)} are not known; a size such as 20GiB says it too");

        long Stored(long count) => (long)Math.Ceiling((decimal)count * type.GroupBytes / type.GroupElements);
    }

    static long? Share(ModelSpec spec, long bytes) => spec is { Parameters: { } all, ActiveParameters: { } active }
        ? (long)((decimal)bytes * active / all)
        : null;
}
