using System.CommandLine;
using Kvasir.Inference;
using Kvasir.KvCache.Prefixes;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv lookup</c>: what of a prompt would be found, where, and why not the rest. Changes nothing.</summary>
static class LookupVerb
{
    static readonly KvPrompt s_prompt = new();

    public static Command Create()
    {
        Command verb = new("lookup", "Say what of a prompt would be found, and where, without running it") { KvVerb.AsJson };
        s_prompt.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using LanguageModel model = s_prompt.Load(parsed);
        int[] tokens = s_prompt.Tokens(parsed, model);
        using InferenceEngine engine = s_prompt.Engine(parsed, model);
        RunVerb.WarnOfDisk(engine);
        PrefixLookup lookup = engine.Cache.Lookup(tokens);
        KvLookup report = new(tokens.Length, [.. lookup.Spans().Select(span => new KvSpan(span.From, span.To, span.Tier is { } tier ? KvText.Name(tier) : "compute"))],
            [.. lookup.Misses.Select(miss => RunMiss.Of(miss, model.Tokenizer))]);
        return KvVerb.Print(parsed, report, () =>
        {
            foreach (KvSpan span in report.Spans)
                Terminal.Answers.WriteLine($"{span.From,9:N0} – {span.To,9:N0}  {span.Source}");
            foreach (Miss miss in lookup.Misses)
                Terminal.Answers.WriteLine(KvText.Of(miss, model.Tokenizer));
        });
    }
}

/// <summary>What <c>kv lookup --json</c> prints.</summary>
sealed record KvLookup(int PromptTokens, IReadOnlyList<KvSpan> Spans, IReadOnlyList<RunMiss> Miss);

/// <summary>Tokens <c>[from, to)</c> and where they would come from: a tier, or <c>compute</c>.</summary>
sealed record KvSpan(int From, int To, string Source);
