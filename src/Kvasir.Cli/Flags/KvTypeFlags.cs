using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that say how keys and values are stored in the pool, which is part of what they are.</summary>
sealed class KvTypeFlags
{
    readonly Setting<string?> _both = Create("--kv-type", $"How keys and values are stored: {string.Join(", ", KvCodecs.Names)}", "f16");
    readonly Setting<string?> _keys = Create("--kv-type-k", "How keys are stored", "as --kv-type says", "-ctk", "--cache-type-k");
    readonly Setting<string?> _values = Create("--kv-type-v", "How values are stored", "as --kv-type says", "-ctv", "--cache-type-v");
    readonly Setting<string?> _rotate = new("--kv-rotate")
    {
        Description = "Whether rows are rotated before they are stored, so that no value takes the bits of the others: on or off",
        Usual = "on for types of fewer than 8 bits",
        HelpName = "on|off",
    };

    /// <summary>All of them.</summary>
    public IEnumerable<Option> All => [_both, _keys, _values, _rotate];

    /// <exception cref="UsageException">A type is none, or none that this model's rows can have.</exception>
    public EngineOptions Apply(ParseResult parsed, EngineOptions options, LanguageModel model) => options with
    {
        KvKeyCodec = Codec(parsed, _keys, "keys", model, layer => layer.KeyDim),
        KvValueCodec = Codec(parsed, _values, "values", model, layer => layer.ValueDim),
    };

    IKvCodec Codec(ParseResult parsed, Setting<string?> own, string what, LanguageModel model, Func<AttentionSpec, int> dim)
    {
        Setting<string?> flag = parsed.GetValue(own) is null ? _both : own;
        IKvCodec codec = Read(parsed, flag) ?? F16Codec.Instance;
        Check(flag, codec, what, model, dim);
        IKvCodec turned = Turned(parsed, codec);
        if (model.Config.Attention.Select(layer => Refusal(turned, dim(layer))).FirstOrDefault(why => why is not null) is { } refusal)
            throw new UsageException($"{_rotate.Name} on: {refusal}; expected off for the {what} of {Printable.Line(model.Config.Name)}");
        return turned;
    }

    /// <summary>The codec that a setting names, rotated ones too; null where it says nothing.</summary>
    public static IKvCodec? Read(ParseResult parsed, Setting<string?> setting)
    {
        if (parsed.GetValue(setting) is not { } name)
            return null;
        return KvCodecs.TryParse(name, out IKvCodec? codec)
            ? codec
            : throw new UsageException($"{setting.Name} {Printable.Quote(name)}: expected one of {string.Join(", ", KvCodecs.Names)}");
    }

    /// <summary>Refuses a type that the rows of a model cannot have.</summary>
    public static void Check(Setting<string?> flag, IKvCodec codec, string what, LanguageModel model, Func<AttentionSpec, int> dim)
    {
        foreach (int elements in model.Config.Attention.Select(dim).Distinct())
            if (Refusal(codec, elements) is { } why)
                throw new UsageException($"{flag.Name} {codec.Name}: {why}; expected one of {string.Join(", ", Storable(elements))} for the "
                    + $"{what} of {Printable.Line(model.Config.Name)}");
    }

    /// <summary>Codecs that the rows of a model can have, in its keys or its values.</summary>
    public static IEnumerable<IKvCodec> StorableBy(LanguageModel model, Func<AttentionSpec, int> dim) =>
        KvCodecs.All.Where(codec => model.Config.Attention.All(layer => Refusal(codec, dim(layer)) is null));

    static IEnumerable<string> Storable(int elements) =>
        KvCodecs.All.Where(codec => codec is not RotatedCodec && Refusal(codec, elements) is null).Select(codec => codec.Name);

    static string? Refusal(IKvCodec codec, int elements)
    {
        try
        {
            codec.RowBytes(elements);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    IKvCodec Turned(ParseResult parsed, IKvCodec codec) => parsed.GetValue(_rotate) switch
    {
        null => codec is not RotatedCodec && KvCodecs.GainsByRotation(codec) ? KvCodecs.Rotated(codec) : codec,
        "on" => KvCodecs.Rotated(codec),
        "off" => codec is RotatedCodec ? throw new UsageException($"--kv-rotate off: {codec.Name} is rotated, expected on") : codec,
        var other => throw new UsageException($"--kv-rotate {Printable.Quote(other)}: expected on or off"),
    };

    static Setting<string?> Create(string name, string description, string usual, params string[] aliases) =>
        new(name, aliases) { Description = description, Usual = usual, HelpName = "TYPE" };
}
