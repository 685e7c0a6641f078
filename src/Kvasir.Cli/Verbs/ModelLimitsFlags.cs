using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>The flags of <c>kvasir limits MODEL</c>.</summary>
static class ModelLimitsFlags
{
    const int MostEntries = 64;

    public static Option<string?> Hardware { get; } = new("--hardware")
    {
        Description = $"What computes: 'this' (the default: this machine, measured once), a JSON file, or {HardwareCatalogue.Names}",
        HelpName = "NAME|FILE",
    };
    public static Option<int> Devices { get; } = new("--devices")
    {
        Description = "So many of them, tensor parallel: bandwidth, arithmetic and memory add up", DefaultValueFactory = _ => 1,
        CustomParser = Number.ParseWithin(1, 1 << 20), HelpName = "N",
    };
    public static Option<ElementType?> Weights { get; } = ElementTypeOption.OfWeights("--weights",
        "Type of the weights; without it, as they are stored, or bf16");
    public static Option<ElementType?> Kv { get; } = ElementTypeOption.OfKv("--kv", "Type of keys and values; without it, f16");
    public static Option<Arithmetic?> Math { get; } = new("--math")
    {
        Description = "fp32, bf16 or int8 (also fp8) products; without it, what is usual there",
        CustomParser = ParseArithmetic, HelpName = "KIND",
    };
    public static Option<ExpertRouting?> Experts { get; } = new("--experts")
    {
        Description = "Experts of a mixture that a token chooses, "
        + "and all, such as 8/128, for how many a batch reads; without it, as the model says", CustomParser = ParseExperts, HelpName = "K/E"
    };
    public static Option<int[]> Batch { get; } = List("--batch",
        "Sequences that get a token in one step; without it, from 1 to where throughput gains no more or memory ends", 1, 1 << 20);
    public static Option<int[]> Position { get; } = List("--position",
        "Tokens before the one that is computed; without it, 0, 4096 and the model's context", 0, 1 << 30, "--context");
    public static Option<string?> Bench { get; } = new("--bench")
    {
        Description = "What `kvasir bench --json` printed: says what share of "
        + "the limit was reached, on its machine unless --hardware names another", HelpName = "FILE"
    };
    public static Option<bool> Markdown { get; } = new("--markdown") { Description = "Print tables in Markdown" };

    /// <summary>The flags that go with a model.</summary>
    public static ImmutableArray<Option> All { get; } = [Hardware, Devices, Weights, Kv, Math, Experts, Batch, Position, Bench, Markdown];

    static Option<int[]> List(string name, string description, int least, int most, params string[] aliases) => new(name, aliases)
    {
        Description = description,
        HelpName = "N,N,…",
        CustomParser = result => ParseList(result, name, least, most),
    };

    static int[] ParseList(ArgumentResult result, string name, int least, int most)
    {
        string[] parts = result.Tokens[^1].Value.Split(',');
        int[] values = [.. parts.Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            && value >= least && value <= most ? value : -1)];
        if (Array.IndexOf(values, -1) is >= 0 and var wrong)
            result.AddError($"{name} {Printable.Line(parts[wrong])}: expected numbers from {least} to {most} with commas between");
        if (values.Length > MostEntries)
            result.AddError($"{name}: {values.Length} numbers, expected at most {MostEntries}");
        return values;
    }

    static Arithmetic? ParseArithmetic(ArgumentResult result)
    {
        if (Enum.TryParse(result.Tokens[^1].Value, ignoreCase: true, out Arithmetic value) && Enum.IsDefined(value)
            && !char.IsDigit(result.Tokens[^1].Value[0]))
            return value;
        result.AddError($"--math {Printable.Line(result.Tokens[^1].Value)}: expected fp32, bf16 or int8");
        return null;
    }

    static ExpertRouting? ParseExperts(ArgumentResult result)
    {
        string[] parts = result.Tokens[^1].Value.Split('/');
        if (parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int chosen)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int all) && chosen >= 1 && chosen < all)
            return new ExpertRouting(chosen, all);
        result.AddError($"--experts {Printable.Line(result.Tokens[^1].Value)}: expected how many a token chooses and how many there are, "
            + $"such as 8/128");
        return null;
    }
}
