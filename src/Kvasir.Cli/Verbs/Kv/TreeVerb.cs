using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Spectre.Console;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary><c>kvasir kv tree</c>: which prefixes share their beginnings. What they say is shown only to who asks for it.</summary>
static class TreeVerb
{
    const int MostCharacters = 60;
    const int MostLevels = 16; // what is deeper has no room beside its branches, and would vanish without a word

    static readonly Option<bool> s_text = new("--text") { Description = "Show the beginning of each text, with the tokenizer of --model" };
    static readonly Option<string> s_model = ModelOption.Create();

    public static Command Create()
    {
        Command verb = KvVerb.WithPlace(new Command("tree", "Show which prefixes share their beginnings") { s_text, s_model });
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using ITierInspection? inspection = KvVerb.Inspect(parsed);
        using LanguageModel? model = parsed.GetValue(s_text) ? ModelOption.Load(parsed.GetRequiredValue(s_model)) : null;
        HashSet<Fingerprint> own = model is null ? [] : Fingerprints(model);
        IReadOnlyList<BlockRun<InspectedBlock>> roots = BlockRuns.Of(inspection?.Blocks() ?? []);
        string? Text(BlockRun<InspectedBlock> run) => model is not null && own.Contains(run.Last.Fingerprint)
            ? Beginning(run, model)
            : null;
        KvNode Described(BlockRun<InspectedBlock> run) => Node(run, KvVerb.TierOf(parsed), Text(run));
        return KvVerb.Print(parsed, new KvTree([.. roots.SelectMany(root => root.All()).Select(Described)]), () => Print(roots, Described));
    }

    static KvNode Node(BlockRun<InspectedBlock> run, Tier tier, string? text) => new(
        run.Last.Key.ToString(), run.BlocksBefore == 0 ? null : run.Blocks[0].Parent.ToString(), run.Last.Model, run.Tokens,
        run.Before + run.Tokens, tier.Name(), run.Blocks.Max(block => block.Used),
        run.Blocks.Any(block => block.PinnedBy is not null), text);

    /// <summary>Those that a model has with any codec. Tokens of another model mean something else, or nothing.</summary>
    static HashSet<Fingerprint> Fingerprints(LanguageModel model)
    {
        IKvCodec[] keys = [.. KvTypeFlags.StorableBy(model, layer => layer.KeyDim)],
            values = [.. KvTypeFlags.StorableBy(model, layer => layer.ValueDim)];
        return [.. from key in keys
            from value in values
            from host in keys.Intersect(values).Append(null)
            select InferenceEngine.FingerprintOf(model, new() { KvKeyCodec = key, KvValueCodec = value, KvHostCodec = host })];
    }

    static string? Beginning(BlockRun<InspectedBlock> run, LanguageModel model)
    {
        int[] tokens = [.. run.Blocks.Take(4).SelectMany(block => block.Tokens)];
        bool known = tokens.All(token => token >= 0 && token < model.Tokenizer.VocabularySize); // a damaged catalogue may hold anything
        return known ? Printable.Line(model.Tokenizer.Decode(tokens), MostCharacters) : null;
    }

    static void Print(IReadOnlyList<BlockRun<InspectedBlock>> roots, Func<BlockRun<InspectedBlock>, KvNode> node)
    {
        foreach (BlockRun<InspectedBlock> root in roots)
        {
            var tree = new Tree(Markup.Escape(Line(node(root))));
            Add(tree, root, node, 1);
            Terminal.Answers.Write(tree);
        }
    }

    static void Add(IHasTreeNodes parent, BlockRun<InspectedBlock> run, Func<BlockRun<InspectedBlock>, KvNode> node, int level)
    {
        if (level == MostLevels && run.Following.Count > 0)
            parent.AddNode($"… {run.All().Count() - 1:N0} more; `kv tree --json` has all");
        else
            foreach (BlockRun<InspectedBlock> next in run.Following)
                Add(parent.AddNode(Markup.Escape(Line(node(next)))), next, node, level + 1);
    }

    static string Line(KvNode node) =>
        $"{node.Tokens:N0} tokens (to {node.To:N0}) · {node.Tier} · {Printable.Line(node.Model, 40)} · "
            + $"{KvText.Date(node.LastUse)}{(node.Pinned ? " · pinned" : "")}{(node.Text is null ? "" : $" · {node.Text}")}";
}

/// <summary>
/// What <c>kv tree --json</c> prints: a list, parents first. Nested objects would be as deep as a conversation is long, which neither
/// writers nor readers of JSON take.
/// </summary>
sealed record KvTree(IReadOnlyList<KvNode> Nodes);

/// <summary>Blocks without a fork, named by the last one's key; the parent is the node that they follow, null at a beginning.</summary>
sealed record KvNode(string Key, string? Parent, string Model, int Tokens, int To, string Tier,
    DateTimeOffset LastUse, bool Pinned, string? Text);
