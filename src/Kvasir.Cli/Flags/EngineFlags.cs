using System.CommandLine;
using System.CommandLine.Parsing;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Sessions;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Retention;
using Kvasir.Server.Serving;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that <c>run</c> and <c>chat</c> share: the model, the engine, and how tokens are chosen.</summary>
sealed class EngineFlags
{
    readonly Option<string> _model = ModelOption.Create();
    readonly WeightsFlag _weights = new();
    /// <summary>As many as the engine takes.</summary>
    public const int MostThreads = 1024;

    readonly Setting<int?> _maxTokens = new("--max-tokens", "-n", "--predict", "--n-predict")
    {
        Description = "Most tokens to generate; -1 for any number",
        Usual = "until the model ends its turn or the context is full",
        CustomParser = Number.ParseOptionalWithin(-2, int.MaxValue),
        HelpName = "N",
    };
    readonly Setting<int> _minTokens = new("--min-tokens")
    {
        Description = "Least tokens to generate: no end and no --stop before",
        DefaultValueFactory = _ => 0,
        CustomParser = Number.ParseWithin(0, int.MaxValue),
        HelpName = "N",
    };
    readonly Setting<int?> _context;
    readonly Option<int?> _threads = CreateThreads();
    readonly SamplingFlags _sampling = new();
    readonly Option<string[]> _stop = new("--stop", "-r", "--reverse-prompt")
    {
        Description = "Text that ends the answer; may be given several times", HelpName = "S",
    };
    readonly Setting<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on where the model would end its turn" };
    readonly Option<string?> _system = new("--system", "-sys", "--system-prompt") { Description = "The system prompt", HelpName = "TEXT" };
    readonly Option<bool> _noKvCache = new("--no-kv-cache")
    {
        Description = "Compute every token's keys and values again at every step: slow, the oracle for the cache",
    };

    readonly Setting<bool> _verbose = new("--verbose", "-v")
    {
        Description = "Say where the prompt's keys and values came from, and why others were computed",
    };
    readonly KvFlags _kv;
    readonly RequestFlags _requests = new();
    readonly Option<RetentionChoice> _retain = RetainFlag.Create();
    readonly SpeculativeFlag _speculative = new();

    /// <param name="usualDevice">How large the pool is where nothing is said of it, in words.</param>
    /// <param name="usualContext">How long the context is where nothing is said of it, in words.</param>
    /// <param name="serves">Whether the verb is <c>serve</c>.</param>
    public EngineFlags(string usualDevice = "room for one context", string? usualContext = null, bool serves = false)
    {
        Llama = new LlamaFlags(serves);
        _kv = new KvFlags(usualDevice);
        _context = new("--ctx-size", "-c")
        {
            Description = "Tokens of context; 0 for the model's",
            Usual = usualContext ?? $"the model's, but at most {EngineOptions.DefaultContext}",
            CustomParser = Number.ParseOptionalWithin(0, 1 << 24),
            HelpName = "CTX",
        };
    }

    /// <summary>The threads, which verbs that measure take too.</summary>
    public static Option<int?> CreateThreads() => new Setting<int?>("--threads", "-t")
    {
        Description = "Compute threads; -1 for one per processor",
        Usual = "one per processor",
        CustomParser = result => result.Tokens[^1].Value == "-1"
            ? Math.Min(Environment.ProcessorCount, MostThreads)
            : Number.ParseWithin(1, MostThreads)(result),
        HelpName = "N",
    };

    /// <summary>The flags of llama.cpp's that mean nothing here.</summary>
    public LlamaFlags Llama { get; }

    /// <summary>The chat template.</summary>
    public TemplateFlag Template { get; } = new();

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, .. _weights.All, _maxTokens, _minTokens, _context, _threads, .. _sampling.All, _stop,
            _ignoreEos,
            _noKvCache, _verbose, _retain, _speculative.Option, _system])
            verb.Options.Add(option);
        Template.AddTo(verb);
        _kv.AddTo(verb);
        Llama.AddTo(verb);
    }

    /// <summary>Adds the flags that say which model, and where its keys and values are kept.</summary>
    public void AddPlaceTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, .. _weights.All, _context, _threads])
            verb.Options.Add(option);
        Template.AddTo(verb);
        _kv.AddPlaceTo(verb);
    }

    /// <summary>Adds the flags of an engine that serves others: how tokens are chosen holds where they say nothing of it.</summary>
    public void AddServingTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, .. _weights.All, _context, _threads, _noKvCache, _retain, _maxTokens, .. _sampling.All,
            _stop, _speculative.Option, _system])
            verb.Options.Add(option);
        Template.AddTo(verb);
        _requests.AddTo(verb);
        _kv.AddTiersTo(verb);
        Llama.AddTo(verb);
    }

    /// <summary>The flag that would help, unless the text is too long for the model itself.</summary>
    public static string MoreRoom(ContextExceededException e) =>
        e.Tokens < e.Trained ? $"; -c {Math.Min(e.Trained, e.Tokens + 512)} makes more room" : "";

    public string ModelName(ParseResult parsed) => parsed.GetRequiredValue(_model);

    /// <summary>Loads the model, with the weights that are asked for.</summary>
    public LanguageModel Load(ParseResult parsed)
    {
        if (OfOllama(parsed)?.Ignored.ToArray() is { Length: > 0 } ignored)
            Terminal.Line($"of what Ollama says of this model, not used: {string.Join(", ", ignored.Select(name => Printable.Line(name)))}"
                + (ignored.Contains("template") ? "; prompts are written by the template in its GGUF file" : ""));
        return _weights.Load(parsed, ModelName(parsed));
    }

    /// <summary>The system prompt that is said, or that Ollama has for a model of its own; null for none.</summary>
    public string? SystemPrompt(ParseResult parsed) => parsed.GetValue(_system) ?? OfOllama(parsed)?.System;

    /// <summary>Refuses it beside a file, which becomes the system prompt.</summary>
    public void CheckSystem(CommandResult result, Option<string?> file)
    {
        if (result.GetValue(_system) is not null && result.GetValue(file) is not null)
            result.AddError($"{_system.Name} and {file.Name} both give the system prompt: choose one");
    }

    /// <summary>What holds for requests that say nothing: what the flags say, else what the model's makers advise.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model.</param>
    /// <param name="taken">Told of the makers' advice that is taken: its name in a GGUF file, and the value.</param>
    public RequestDefaults Defaults(ParseResult parsed, LanguageModel model, Action<string, double> taken)
    {
        OllamaModel? ollama = OfOllama(parsed);
        Func<string, double?> maker = Maker(ollama, model);
        return new RequestDefaults
        {
            Sampling = _sampling.Given(parsed, advice =>
            {
                double? value = maker(advice);
                if (value is { } known)
                    taken(advice, known);
                return value;
            }),
            MaxTokens = MaxTokens(parsed, ollama),
            Stops = parsed.GetValue(_stop) is { Length: > 0 } stops ? stops : [.. ollama?.Stops ?? []],
            SystemPrompt = SystemPrompt(parsed),
            ThoughtBudget = _requests.Budget(parsed),
            TemplateVariables = _requests.Variables(parsed),
            TellsRaw = _requests.TellsRaw(parsed),
            ReasoningFormat = _requests.Format(parsed),
            GoesOnWithAnswers = _requests.GoesOn(parsed),
        };
    }

    OllamaModel? OfOllama(ParseResult parsed) => ModelOption.OfOllama(ModelName(parsed));

    public EngineOptions Engine(ParseResult parsed, LanguageModel model)
    {
        bool usesCache = UsesCache(parsed, model);
        EngineOptions options = _kv.Apply(parsed,
            new EngineOptions
            {
                Context = parsed.GetValue(_context) is 0 ? model.Config.Context : parsed.GetValue(_context) ?? OfOllama(parsed)?.Context,
                KvRetention = Retention(parsed),
                KvReuse = usesCache ? KvReuse.On : KvReuse.Off,
                Speculative = _speculative.Read(parsed, computesAgain: !usesCache),
            },
            ModelName(parsed), model);
        return parsed.GetValue(_threads) is { } threads ? options with { Threads = threads } : options;
    }

    /// <summary>Whether keys and values are kept: as the flag says, or else the model's files, or else they are.</summary>
    bool UsesCache(ParseResult parsed, LanguageModel model)
    {
        if (parsed.GetResult(_noKvCache) is { Implicit: false })
            return !parsed.GetValue(_noKvCache);
        bool wanted = model.Metadata.GetBool("kvasir.use_cache", true);
        if (!wanted)
            Terminal.Line("use_cache is false in the model's files: keys and values are computed again at every step; "
                + "--no-kv-cache=false keeps them");
        return wanted;
    }

    public Session? Session(ParseResult parsed) => _kv.Session(parsed);

    /// <summary>With <c>-v</c>, says why nothing is kept where somebody may think that it is.</summary>
    public void TellWhereNothingIsKept(ParseResult parsed)
    {
        if (Verbose(parsed) && _kv.NothingIsKept(parsed) is { } why)
            Terminal.Line(why);
    }

    /// <summary>What is kept of prompts; null for all.</summary>
    public RetentionPolicy? Retention(ParseResult parsed) => parsed.GetValue(_retain)?.Policy;

    public bool Verbose(ParseResult parsed) => parsed.GetValue(_verbose);

    /// <summary>How tokens are chosen: as the flags say, and where they say nothing, as the model's makers advise.</summary>
    public SamplingOptions Sampling(ParseResult parsed, LanguageModel model)
    {
        return _sampling.Read(parsed, Maker(OfOllama(parsed), model));
    }

    static Func<string, double?> Maker(OllamaModel? ollama, LanguageModel model) =>
        advice => ollama?.Advice(advice) ?? SamplingFlags.Advised(model.Metadata, advice);

    int? MaxTokens(ParseResult parsed, OllamaModel? ollama) =>
        parsed.GetValue(_maxTokens) is { } most ? most >= 0 ? most : null : ollama?.MaxTokens;

    public GenerationOptions Generation(ParseResult parsed)
    {
        OllamaModel? ollama = OfOllama(parsed);
        int? most = MaxTokens(parsed, ollama);
        return new GenerationOptions
        {
            MaxTokens = most,
            MinTokens = parsed.GetValue(_minTokens) is var least && least <= (most ?? int.MaxValue)
                ? least
                : throw new UsageException($"--min-tokens {least}: expected at most the {most} of --max-tokens"),
            IgnoresEnds = parsed.GetValue(_ignoreEos),
            Stops = parsed.GetValue(_stop) is { Length: > 0 } stops ? stops : [.. ollama?.Stops ?? []],
            Sampling = _sampling.Read(parsed),
            Retention = Retention(parsed) is { } policy ? new RetentionOptions(policy) : null,
        };
    }
}
