using Kvasir.Formats;
using Kvasir.KvCache;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Kv;

/// <summary>What a request to the cache is about: a prompt, as text, tokens or messages, or a node of the tree.</summary>
static class KvTarget
{
    public const int MostBlocks = 1 << 20;

    /// <summary>The tokens of the prompt that a body names; null when it names none.</summary>
    public static int[]? Prompt(Field body, ServedModel model)
    {
        body.CheckAlternatives("prompt", "tokens", "messages");
        body.CheckOnlyWith("messages", ChatRequest.PromptFields);
        if (!body["messages"].IsAbsent)
            return ChatRequest.Encode(body, model);
        Field prompt = body["prompt"].IsAbsent ? body["tokens"] : body["prompt"];
        if (prompt.IsAbsent)
            return null;
        return TextCompletions.Prompts(prompt, 1, model.Engine)[0];
    }

    /// <summary>The tokens of the prompt that a body has to name.</summary>
    public static int[] RequiredPrompt(Field body, ServedModel model)
    {
        int[] tokens = Prompt(body, model) ?? throw body["prompt"].Missing("a text or tokens, or 'messages'");
        return tokens.Length <= model.Engine.Context
            ? tokens
            : throw new Inference.Scheduling.ContextExceededException(tokens.Length, model.Engine.Context,
                model.Engine.Model.Config.Context);
    }

    /// <summary>The blocks from the beginning to the end of a prompt or a node: what has to stay for it to be found.</summary>
    public static IReadOnlyList<BlockKey> Path(Field body, ServedModel model, Principal principal)
    {
        if (body["id"].IsAbsent)
            return model.Engine.Cache.Keys(RequiredPrompt(body, model), RequestReader.Salt(body, principal));
        CheckAlone("id", body);
        (BlockRun<CachedBlock> node, Dictionary<BlockKey, CachedBlock> all) = Node(body["id"], model.Engine.Cache);
        List<BlockKey> path = [.. node.Blocks.Select(block => block.Key)];
        for (BlockKey at = node.Blocks[0].Parent; all.TryGetValue(at, out CachedBlock? block); at = block.Parent)
            path.Insert(0, block.Key);
        return path;
    }

    /// <summary>Refuses what says of a prompt where something else is named.</summary>
    public static void CheckAlone(string name, Field body)
    {
        foreach (string other in (string[])["id", "prompt", "tokens", "messages", "cache_salt", .. ChatRequest.PromptFields])
            if (other != name)
                body.CheckAlternatives(other, name);
    }

    /// <summary>A node's blocks and all that follow, the deepest first: what stands on a block goes before it.</summary>
    public static IReadOnlyList<BlockKey> Subtree(Field id, TieredKvCache cache) =>
        [.. Node(id, cache).Node.All().SelectMany(run => run.Blocks).Select(block => block.Key).Reverse()];

    static (BlockRun<CachedBlock> Node, Dictionary<BlockKey, CachedBlock> All) Node(Field id, TieredKvCache cache)
    {
        string name = id.Text(64) ?? throw id.Missing("the id of a node");
        IReadOnlyList<CachedBlock> blocks = cache.Blocks(MostBlocks);
        BlockRun<CachedBlock>? node = BlockRuns.Of(blocks).SelectMany(root => root.All())
            .FirstOrDefault(run => run.Last.Key.ToString() == name);
        return node is null
            ? throw new RequestException(404, $"id: {Printable.Quote(name)} is no node of the tree, or no longer", "id", "not_found")
            : (node, blocks.ToDictionary(block => block.Key));
    }
}
