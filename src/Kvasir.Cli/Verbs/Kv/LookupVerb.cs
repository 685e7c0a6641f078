using System.CommandLine;
using Kvasir.Inference;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv lookup</c>: what of a prompt would be found, where, and why not the rest. Changes nothing.</summary>
static class LookupVerb
{
    public static Command Create() =>
        KvPrompt.CreateVerb("lookup", "Say what of a prompt would be found, and where, without running it", Run);

    static int Run(ParseResult parsed, InferenceEngine engine, int[] tokens)
    {
        Tokenizer tokenizer = engine.Model.Tokenizer;
        PrefixLookup lookup = engine.Cache.Lookup(tokens).GetAwaiter().GetResult();
        KvLookup report = new(tokens.Length,
            [.. lookup.Spans().Select(span => new KvSpan(span.From, span.To, span.Tier is { } tier ? tier.Name() : "compute"))],
            [.. lookup.Misses.Select(miss => RunMiss.Of(miss, tokenizer))]);
        return KvVerb.Print(parsed, report, () =>
        {
            foreach (KvSpan span in report.Spans)
                Terminal.Answers.WriteLine($"{span.From,9:N0} – {span.To,9:N0}  {span.Source}");
            foreach (Miss miss in lookup.Misses)
                Terminal.Answers.WriteLine(KvText.Of(miss, tokenizer));
        });
    }
}

/// <summary>What <c>kv lookup --json</c> prints.</summary>
sealed record KvLookup(int PromptTokens, IReadOnlyList<KvSpan> Spans, IReadOnlyList<RunMiss> Miss);

/// <summary>Tokens <c>[from, to)</c> and where they would come from: a tier, or <c>compute</c>.</summary>
sealed record KvSpan(int From, int To, string Source);
