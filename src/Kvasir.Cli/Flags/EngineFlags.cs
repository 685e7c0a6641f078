using System.CommandLine;
using Kvasir.Cli.Sessions;
using Kvasir.Inference;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that <c>run</c> and <c>chat</c> share: the model, the engine, and how tokens are chosen.</summary>
sealed class EngineFlags
{
    readonly Option<string> _model = ModelOption.Create();
    readonly Option<int?> _maxTokens = new("--max-tokens", "-n") { Description = "Most tokens to generate; without it, until the model ends its turn or the context is full", CustomParser = Number.ParseOptional<int>, HelpName = "N" };
    readonly Option<int?> _context = new("--ctx-size", "-c") { Description = $"Tokens of context; without it, the model's, but at most {EngineOptions.DefaultContext}", CustomParser = Number.ParseOptional<int>, HelpName = "CTX" };
    readonly Option<int?> _threads = new("--threads", "-t") { Description = "Compute threads; without it, one per processor", CustomParser = Number.ParseOptional<int>, HelpName = "N" };
    readonly Option<float> _temperature = new("--temp") { Description = "Temperature; 0 always takes the most likely token", DefaultValueFactory = _ => 0f, CustomParser = Number.Parse<float>, HelpName = "T" };
    readonly Option<int> _topK = new("--top-k") { Description = "Keep the K most likely tokens; 0 keeps all", DefaultValueFactory = _ => SamplingOptions.Greedy.TopK, CustomParser = Number.Parse<int>, HelpName = "K" };
    readonly Option<float> _topP = new("--top-p") { Description = "Keep the most likely tokens that together reach P", DefaultValueFactory = _ => SamplingOptions.Greedy.TopP, CustomParser = Number.Parse<float>, HelpName = "P" };
    readonly Option<float> _minP = new("--min-p") { Description = "Drop tokens less likely than P times the most likely", DefaultValueFactory = _ => SamplingOptions.Greedy.MinP, CustomParser = Number.Parse<float>, HelpName = "P" };
    readonly Option<float> _repeatPenalty = new("--repeat-penalty") { Description = "Penalise the last 64 tokens; 1 does not", DefaultValueFactory = _ => SamplingOptions.Greedy.RepeatPenalty, CustomParser = Number.Parse<float>, HelpName = "R" };
    readonly Option<ulong?> _seed = new("--seed") { Description = "Seed of the random choices; without it, a new one", CustomParser = Number.ParseOptional<ulong>, HelpName = "S" };
    readonly Option<string[]> _stop = new("--stop") { Description = "Text that ends the answer; may be given several times", HelpName = "S" };
    readonly Option<bool> _noKvCache = new("--no-kv-cache") { Description = "Compute every token's keys and values again at every step: slow, the oracle for the cache" };

    readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Say where the prompt's keys and values came from, and why others were computed" };
    readonly KvFlags _kv = new();

    /// <summary>The chat template.</summary>
    public TemplateFlag Template { get; } = new();

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, _maxTokens, _context, _threads, _temperature, _topK, _topP, _minP, _repeatPenalty, _seed, _stop, _noKvCache, _verbose])
            verb.Options.Add(option);
        Template.AddTo(verb);
        _kv.AddTo(verb);
    }

    /// <summary>Adds the flags that say which model, and where its keys and values are kept.</summary>
    public void AddPlaceTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, _context, _threads])
            verb.Options.Add(option);
        Template.AddTo(verb);
        _kv.AddPlaceTo(verb);
    }

    /// <summary>Adds the flags of an engine that serves others: how tokens are chosen is their business.</summary>
    public void AddServingTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, _context, _threads, _noKvCache])
            verb.Options.Add(option);
        Template.AddTo(verb);
        _kv.AddTiersTo(verb);
    }

    /// <summary>The flag that would help, unless the text is too long for the model itself.</summary>
    public static string MoreRoom(ContextExceededException e) =>
        e.Tokens < e.Trained ? $"; -c {Math.Min(e.Trained, e.Tokens + 512)} makes more room" : "";

    public string ModelName(ParseResult parsed) => parsed.GetRequiredValue(_model);

    public EngineOptions Engine(ParseResult parsed)
    {
        EngineOptions options = _kv.Apply(parsed, new EngineOptions { Context = parsed.GetValue(_context), KvReuse = parsed.GetValue(_noKvCache) ? KvReuse.Off : KvReuse.On });
        return parsed.GetValue(_threads) is { } threads ? options with { Threads = threads } : options;
    }

    public Session? Session(ParseResult parsed) => _kv.Session(parsed);

    public bool Verbose(ParseResult parsed) => parsed.GetValue(_verbose);

    public GenerationOptions Generation(ParseResult parsed)
    {
        var sampling = new SamplingOptions
        {
            Temperature = parsed.GetValue(_temperature),
            TopK = parsed.GetValue(_topK),
            TopP = parsed.GetValue(_topP),
            MinP = parsed.GetValue(_minP),
            RepeatPenalty = parsed.GetValue(_repeatPenalty),
            Seed = parsed.GetValue(_seed),
        };
        sampling.Validate();
        return new GenerationOptions { MaxTokens = parsed.GetValue(_maxTokens), Stops = parsed.GetValue(_stop) ?? [], Sampling = sampling };
    }
}
