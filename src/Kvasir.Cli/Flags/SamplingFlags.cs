using System.CommandLine;
using System.Numerics;
using Kvasir.Cli.Configuration;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Sampling;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that say how tokens are chosen, by llama.cpp's names; what a value may be, the engine says.</summary>
sealed class SamplingFlags
{
    readonly Option<ulong?> _seed = new("--seed", "-s")
    {
        Description = "Seed of the random choices; without it, a new one", CustomParser = Number.ParseOptional<ulong>, HelpName = "S",
    };
    readonly Setting<string[]> _breakers = new("--dry-sequence-breaker")
    {
        Description = "Text over which no repetition counts; may be given several times, 'none' for none",
        Usual = "line feed, ':', '\"' and '*'",
        HelpName = "TEXT",
    };
    readonly List<(Option Flag, Change Apply, Change ApplyGiven)> _numbers = [];

    public SamplingFlags()
    {
        SamplingOptions usual = SamplingOptions.Greedy;
        XtcOptions xtc = new() { Probability = 0 };
        DryOptions dry = new() { Multiplier = 0 };
        MirostatOptions mirostat = new();
        Add("--temp", "T", "Temperature; 0 always takes the most likely token", usual.Temperature,
            (all, value) => all with { Temperature = value }, alias: "--temperature", advice: "temp");
        Add("--top-k", "K", "Keep the K most likely tokens; 0 keeps all", usual.TopK, (all, value) => all with { TopK = value },
            advice: "top_k");
        Add("--top-p", "P", "Keep the most likely tokens that together reach P", usual.TopP, (all, value) => all with { TopP = value },
            advice: "top_p");
        Add("--min-p", "P", "Drop tokens less likely than P times the most likely", usual.MinP, (all, value) => all with { MinP = value },
            advice: "min_p");
        Add("--typical", "P", "Keep the tokens of most usual surprise that together reach P; 1 keeps all", usual.TypicalP,
            (all, value) => all with { TypicalP = value }, alias: "--typical-p");
        Add("--top-nsigma", "N", "Drop tokens more than N standard deviations below the best; 0 keeps all", usual.TopNSigma,
            (all, value) => all with { TopNSigma = value == -1 ? 0 : value }, alias: "--top-n-sigma");
        Add("--repeat-penalty", "R", "Penalise the last tokens; 1 does not", usual.RepeatPenalty,
            (all, value) => all with { RepeatPenalty = value }, advice: "penalty_repeat");
        Add("--repeat-last-n", "N", "So many are penalised; -1 for all", usual.RepeatWindow,
            (all, value) => all with { RepeatWindow = value == -1 ? int.MaxValue : value });
        Add("--frequency-penalty", "F", "Penalise tokens of the answer by how often they came", usual.FrequencyPenalty,
            (all, value) => all with { FrequencyPenalty = value });
        Add("--presence-penalty", "F", "Penalise tokens of the answer that came at all", usual.PresencePenalty,
            (all, value) => all with { PresencePenalty = value });

        // what says whether comes after what says how
        Add("--xtc-threshold", "P", "XTC takes away tokens of at least this chance", xtc.Threshold,
            (all, value) => all with { Xtc = xtc with { Threshold = value } });
        Add("--xtc-probability", "P", "Take the likeliest tokens away so often, but the least likely of them; 0 never", xtc.Probability,
            (all, value) => all with { Xtc = value == 0 ? null : (all.Xtc ?? xtc) with { Probability = value } }, decides: true);
        Add("--dry-base", "B", "DRY penalises a longer repetition so many times more", dry.Base,
            (all, value) => all with { Dry = (all.Dry ?? dry) with { Base = value } });
        Add("--dry-allowed-length", "N", "The shortest repetition that DRY penalises, in tokens", dry.AllowedLength,
            (all, value) => all with { Dry = (all.Dry ?? dry) with { AllowedLength = value } });
        Add("--dry-penalty-last-n", "N", "DRY looks back so many tokens; -1 for all", dry.Window,
            (all, value) => all with { Dry = (all.Dry ?? dry) with { Window = value } });
        Add("--dry-multiplier", "M", "Penalise what would go on with a repetition (DRY); 0 does not", dry.Multiplier,
            (all, value) => all with { Dry = value == 0 ? null : (all.Dry ?? dry) with { Multiplier = value } }, decides: true);
        Add("--mirostat-ent", "T", "The surprise that Mirostat holds, in bits a token", mirostat.Tau,
            (all, value) => all with { Mirostat = (all.Mirostat ?? mirostat) with { Tau = value } });
        Add("--mirostat-lr", "E", "How fast Mirostat learns", mirostat.Eta,
            (all, value) => all with { Mirostat = (all.Mirostat ?? mirostat) with { Eta = value } });
        Add("--mirostat", "N", "2 holds the text's surprise in place of all filters; 0 does not", 0, (all, value) => value switch
        {
            0 => all with { Mirostat = null },
            2 => all with { Mirostat = all.Mirostat ?? mirostat },
            _ => throw new ArgumentException($"mirostat: {value}, expected 0 or 2"),
        }, decides: true);
    }

    /// <summary>Changes options by what a flag, or a model's makers, say.</summary>
    delegate SamplingOptions Change(ParseResult parsed, Func<string, double?>? maker, SamplingOptions all);

    public IEnumerable<Option> All => [.. _numbers.Select(number => number.Flag), _breakers, _seed];

    /// <summary>What the flags say, and where they say nothing, what the model's makers advise.</summary>
    public SamplingOptions Read(ParseResult parsed, Func<string, double?>? maker = null)
    {
        SamplingOptions all = SamplingOptions.Greedy with { Seed = parsed.GetValue(_seed) };
        foreach ((_, Change apply, _) in _numbers)
            all = apply(parsed, maker, all);
        all = WithBreakers(parsed, all);
        all.Validate();
        return all;
    }

    /// <summary>
    /// What the flags say, and where they say nothing what the model's makers advise, put over what somebody else has: of what neither
    /// speaks of, that stays.
    /// </summary>
    public Func<SamplingOptions, SamplingOptions> Given(ParseResult parsed, Func<string, double?>? maker)
    {
        Over(SamplingOptions.Greedy).Validate();
        return Over;

        SamplingOptions Over(SamplingOptions usual)
        {
            SamplingOptions all = usual with { Seed = parsed.GetValue(_seed) ?? usual.Seed };
            foreach ((_, _, Change apply) in _numbers)
                all = apply(parsed, maker, all);
            return WithBreakers(parsed, all);
        }
    }

    SamplingOptions WithBreakers(ParseResult parsed, SamplingOptions all)
    {
        string[] breakers = parsed.GetValue(_breakers) is { Length: > 0 } given ? given : [.. all.Dry?.Breakers ?? []];
        return all.Dry is null ? all : all with { Dry = all.Dry with { Breakers = breakers is ["none"] ? [] : breakers } };
    }

    void Add<T>(string name, string help, string description, T usual, Func<SamplingOptions, T, SamplingOptions> with,
        string? alias = null, string? advice = null, bool decides = false)
        where T : struct, INumber<T>
    {
        Setting<T> flag = new(name, alias is null ? [] : [alias])
        {
            Description = description,
            DefaultValueFactory = _ => usual,
            CustomParser = Number.ParseChecked<T>(value => with(SamplingOptions.Greedy, value).Validate()),
            HelpName = help,
        };
        SamplingOptions Apply(ParseResult parsed, Func<string, double?>? maker, SamplingOptions all) =>
            with(all, Advised(parsed, maker, flag, advice) ?? parsed.GetValue(flag));
        _numbers.Add((flag, Apply, (parsed, maker, all) =>
            decides || flag.Read(parsed).Source != SettingSource.Default || Advised(parsed, maker, flag, advice) is not null
                ? Apply(parsed, maker, all)
                : all));
    }

    /// <summary>What a model's makers advise where nobody else says anything.</summary>
    static T? Advised<T>(ParseResult parsed, Func<string, double?>? maker, Setting<T> flag, string? advice) where T : struct, INumber<T> =>
        advice is not null && maker is not null && flag.Read(parsed).Source == SettingSource.Default && maker(advice) is { } value
            ? T.CreateSaturating(value)
            : null;

    /// <summary>What a GGUF file advises (<c>general.sampling.…</c>).</summary>
    public static double? Advised(GgufMetadata model, string advice)
    {
        string key = $"general.sampling.{advice}";
        return !model.Contains(key) ? null : advice == "top_k" ? model.GetInt32(key) : model.GetSingle(key);
    }
}
