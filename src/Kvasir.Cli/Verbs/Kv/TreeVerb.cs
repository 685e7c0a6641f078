using System.CommandLine;
using Kvasir.Inference;
using Kvasir.Inference.Formats;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Tiers.Disk;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv tree</c>: which prefixes share their beginnings. What they say is shown only to who asks for it.</summary>
static class TreeVerb
{
    const int MostCharacters = 60;

    static readonly Option<bool> s_text = new("--text") { Description = "Show the beginning of each text, with the tokenizer of --model" };
    static readonly Option<string> s_model = ModelOption.Create();

    public static Command Create()
    {
        Command verb = new("tree", "Show which prefixes share their beginnings") { s_text, s_model, KvVerb.Folder, KvVerb.AsJson };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using DiskInspection? inspection = KvVerb.Inspect(parsed);
        using LanguageModel? model = parsed.GetValue(s_text) ? ModelOption.Load(parsed.GetRequiredValue(s_model)) : null;
        KvTree report = new([.. BlockRun.Of(inspection?.Blocks() ?? []).Select(run => Node(run, model))]);
        return KvVerb.Print(parsed, report, () => Print(report));
    }

    static KvNode Node(BlockRun run, LanguageModel? model) => new(
        run.Last.Key.ToString(), run.Last.Model, run.Tokens, run.Before + run.Tokens, "disk", run.Used, run.Blocks.Exists(block => block.PinnedBy is not null),
        model is null ? null : Text(run, model.Tokenizer), [.. run.Following.Select(next => Node(next, model))]);

    /// <summary>Null for tokens that the tokenizer does not have: they are another model's.</summary>
    static string? Text(BlockRun run, Tokenizer tokenizer)
    {
        int[] tokens = [.. run.Blocks.Take(4).SelectMany(block => block.Tokens)];
        return tokens.All(token => token >= 0 && token < tokenizer.VocabularySize) ? Printable.Line(tokenizer.Decode(tokens), MostCharacters) : null;
    }

    static void Print(KvTree report)
    {
        foreach (KvNode root in report.Roots)
        {
            var tree = new Tree(Markup.Escape(Line(root)));
            Add(tree, root);
            Terminal.Answers.Write(tree);
        }
    }

    static void Add(IHasTreeNodes parent, KvNode node)
    {
        foreach (KvNode next in node.Following)
            Add(parent.AddNode(Markup.Escape(Line(next))), next);
    }

    static string Line(KvNode node) =>
        $"{node.Tokens:N0} tokens (to {node.To:N0}) · {node.Tier} · {Printable.Line(node.Model, 40)} · {ListVerb.Date(node.LastUse)}{(node.Pinned ? " · pinned" : "")}{(node.Text is null ? "" : $" · {node.Text}")}";
}

/// <summary>What <c>kv tree --json</c> prints.</summary>
sealed record KvTree(IReadOnlyList<KvNode> Roots);

/// <summary>Blocks without a fork, and what follows them in different ways.</summary>
sealed record KvNode(string Key, string Model, int Tokens, int To, string Tier, DateTimeOffset LastUse, bool Pinned, string? Text, IReadOnlyList<KvNode> Following);
