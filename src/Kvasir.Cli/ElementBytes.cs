using System.Collections.Frozen;
using System.CommandLine.Parsing;
using Kvasir.Inference.Formats;

namespace Kvasir.Cli;

/// <summary>Bytes of one value in a type that users name: those of tensors, their scales included, and bare numbers of 8 and 4 bits.</summary>
static class ElementBytes
{
    static readonly FrozenDictionary<string, double> s_bytes = Enum.GetValues<TensorType>()
        .Select(type => KeyValuePair.Create(type.DisplayName(), (double)type.BlockBytes() / type.BlockElements()))
        .Concat([new("fp8", 1), new("int8", 1), new("int4", 0.5)])
        .ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>A parser for options that leaves the name as it is.</summary>
    public static string? Parse(ArgumentResult result)
    {
        string name = result.Tokens[^1].Value;
        if (!s_bytes.ContainsKey(name))
            result.AddError($"{((OptionResult)result.Parent!).Option.Name} {Printable.Line(name)}: expected {string.Join(", ", s_bytes.Keys.Order(StringComparer.Ordinal))}");
        return name;
    }

    /// <summary>Bytes of one value, or null for an unknown name.</summary>
    public static double? Of(string name) => s_bytes.TryGetValue(name, out double bytes) ? bytes : null;
}
