using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Quality;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Retention;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir eval</c>: what a model knows of saga's language: facts that it finds in documents, stories that it expects.</summary>
static class EvalVerb
{
    /// <summary>Far from the seeds that anybody trains or plays with.</summary>
    const int HeldOut = 1_000_000_007;

    static readonly Option<string> s_model = ModelOption.Create();
    static readonly WeightsFlag s_weights = new();
    static readonly Option<string> s_task = new("--task")
    {
        Description = "retrieval: exact answers to questions about documents; stories: perplexity of little stories",
        DefaultValueFactory = _ => "retrieval", HelpName = "TASK",
    };
    static readonly Option<int[]> s_facts = new("--facts")
    {
        Description = "Facts of a document, several with commas between; 5,20,60 unless --tokens says otherwise",
        CustomParser = ParseFacts, HelpName = "N,…",
    };
    static readonly Option<int[]> s_tokens = new("--tokens")
    {
        Description = "Or the length of prompt and answer in tokens, such as 2k,4k",
        CustomParser = TokenCount.ParseSeveral, HelpName = "N,…",
    };
    static readonly Option<bool> s_conversation = new("--conversation")
    {
        Description = "Ask a document's questions one after another in one conversation, not each in its own",
    };
    static readonly Option<RetentionPolicy[]?> s_retain = new("--kv-retain")
    {
        Description = "Compare with exact answers what is answered when less is kept; several policies with commas between",
        CustomParser = ParsePolicies, HelpName = "POLICY,…",
    };
    static readonly Option<bool> s_aware = new("--aware")
    {
        Description = "Let a policy see the question before it chooses; else it sees the document alone",
    };
    static readonly Option<string?> s_pareto = new("--pareto")
    {
        Description = "Draw answers, and what stories lose, against bytes: a picture (.svg) or a page (.html)", HelpName = "FILE",
    };
    static readonly Option<int> s_documents = new("--documents")
    {
        Description = "Documents of each size, or stories", DefaultValueFactory = _ => 20,
        CustomParser = Number.ParseWithin(1, 100_000), HelpName = "N",
    };
    static readonly Option<int> s_seed = new("--seed")
    {
        Description = "Start of the random numbers; the usual one is held out from training", DefaultValueFactory = _ => HeldOut,
        CustomParser = Number.Parse<int>, HelpName = "S",
    };
    static readonly Option<int?> s_threads = EngineFlags.CreateThreads();
    static readonly KvTypeFlags s_types = new();
    static readonly TemplateFlag s_template = new();
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("eval")
        {
            s_model, s_task, s_facts, s_tokens, s_conversation, s_retain, s_aware, s_pareto, s_documents, s_seed,
            s_threads, s_json,
        };
        foreach (Option option in (Option[])[.. s_weights.All, .. s_types.All])
            verb.Options.Add(option);
        s_template.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    static int[] ParseFacts(ArgumentResult result)
    {
        string[] parts = result.Tokens[^1].Value.Split(',');
        int[] facts = [.. parts.Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            && value is >= 1 and <= SagaGenerator.MostFacts ? value : 0)];
        if (Array.IndexOf(facts, 0) is >= 0 and var wrong)
            result.AddError(
                $"--facts {Printable.Quote(parts[wrong])}: expected numbers from 1 to {SagaGenerator.MostFacts} with commas between");
        return facts;
    }

    static IEnumerable<DocumentSize> Sizes(ParseResult parsed)
    {
        int[] tokens = parsed.GetValue(s_tokens) ?? [], facts = parsed.GetValue(s_facts) ?? []; // empty, not null, when they are not given
        if (facts.Length + tokens.Length == 0)
            facts = [5, 20, 60];
        return facts.Select(count => new DocumentSize(count))
            .Concat(tokens.Select(count => new DocumentSize(count, DocumentUnit.Tokens))).Distinct();
    }

    /// <summary>A measurement is of the policy, however short the text: without another word, no prefix is kept whole.</summary>
    static RetentionPolicy[]? ParsePolicies(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        bool saysMinimum = text.Contains("min=", StringComparison.Ordinal);
        try
        {
            return [.. RetentionPolicy.ParseSeveral(text).OfType<RetentionPolicy>()
                .Select(policy => saysMinimum ? policy : policy with { Minimum = 0 })];
        }
        catch (ArgumentException e)
        {
            result.AddError($"--kv-retain: {e.Message}");
            return null;
        }
    }

    static int Run(ParseResult parsed)
    {
        string task = parsed.GetRequiredValue(s_task);
        if (task is not ("retrieval" or "stories"))
            throw new UsageException($"--task {Printable.Quote(task)}: expected retrieval or stories");
        RetentionPolicy[] policies = parsed.GetValue(s_retain) ?? [];
        EvalPlot? plot = parsed.GetValue(s_pareto) is { } file ? EvalPlot.To(file) : null;
        if (policies.Length == 0 && (parsed.GetValue(s_aware) || plot is not null))
            throw new UsageException("--aware and --pareto are about what --kv-retain names, and it names nothing");
        using LanguageModel model = s_weights.Load(parsed, parsed.GetRequiredValue(s_model));
        using Interrupt interrupt = new();
        try
        {
            long start = Stopwatch.GetTimestamp();
            EvalReport report = task == "stories"
                ? Stories(parsed, model, policies, interrupt.Token)
                : Retrieval(parsed, model, policies, interrupt.Token).GetAwaiter().GetResult();
            if (plot is not null && task != "stories")
                report = report with { Retained = Stories(parsed, model, policies, interrupt.Token).Retained };
            report = report with { Model = model.Config.Name, Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds };
            plot?.Write(report);
            if (parsed.GetValue(s_json))
                VerbJson.Write(report);
            else
                report.Print();
            return ExitCode.Ok;
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    static InferenceEngine Engine(ParseResult parsed, LanguageModel model, bool reuses, RetentionPolicy? policy = null)
    {
        EngineOptions options = s_types.Apply(parsed, new EngineOptions
        {
            Context = model.Config.Context, Sequences = reuses ? 3 : 1, KvReuse = reuses ? KvReuse.On : KvReuse.WithinSequence,
            KvRetention = policy,
        }, model);
        return new InferenceEngine(model, parsed.GetValue(s_threads) is { } threads ? options with { Threads = threads } : options);
    }

    static EvalReport Stories(ParseResult parsed, LanguageModel model, RetentionPolicy[] policies, CancellationToken cancellation)
    {
        using InferenceEngine engine = Engine(parsed, model, reuses: policies.Length > 0, policies.FirstOrDefault());
        (int stories, int seed) = (parsed.GetValue(s_documents), parsed.GetValue(s_seed));
        EvalReport report = new() { Task = "stories" };
        return policies.Length == 0
            ? report with
            {
                Stories = WorkProgress.Show("stories", progress => Inference.Measurement.Quality.Stories.Measure(engine, stories, seed,
                    new Steps<int>(progress, done => (double)done / stories), cancellation)),
            }
            : report with
            {
                Retained = WorkProgress.Show("stories", progress => new RetainedStories(engine, seed).Measure(policies, stories,
                    new Steps<int>(progress, done => (double)done / stories), cancellation)),
            };
    }

    static async Task<EvalReport> Retrieval(
        ParseResult parsed, LanguageModel model, RetentionPolicy[] policies, CancellationToken cancellation)
    {
        using InferenceEngine engine = Engine(parsed, model, reuses: true, policies.FirstOrDefault());
        List<RetrievalResult> results = [];
        foreach (DocumentSize size in Sizes(parsed))
        {
            RetrievalResult exact = await Ask(parsed, engine, size, null, cancellation);
            results.Add(exact);
            foreach (RetentionPolicy policy in policies)
            {
                RetrievalResult kept = await Ask(parsed, engine, size, policy, cancellation);
                results.Add(kept with { AgainstExact = PairedBootstrap.Compare(kept.ByDocument, exact.ByDocument) });
                engine.Cache.Views.Clear();
            }
        }
        return new EvalReport { Task = "retrieval", Retrieval = results, PrefillTokensPerS = engine.Cache.Costs.TokensPerSecond };
    }

    static Task<RetrievalResult> Ask(
        ParseResult parsed, InferenceEngine engine, DocumentSize size, RetentionPolicy? policy, CancellationToken cancellation)
    {
        int documents = parsed.GetValue(s_documents);
        double asked =
            documents * (size.Unit == DocumentUnit.Facts ? Math.Min(RetrievalResult.Deciles, size.Count) : RetrievalResult.Deciles);
        Retrieval retrieval = new(engine, parsed.GetValue(s_seed), parsed.GetValue(s_conversation),
            s_template.Prompts(parsed, engine.Model), policy, parsed.GetValue(s_aware));
        return WorkProgress.Show(policy is null ? size.ToString() : $"{size}, {policy}", progress =>
            retrieval.Ask(size, documents, new Steps<Score>(progress, score => Math.Min(1, score.Asked / asked)), cancellation));
    }

    sealed class Steps<T>(IProgress<double> share, Func<T, double> of) : IProgress<T>
    {
        public void Report(T value) => share.Report(of(value));
    }
}
