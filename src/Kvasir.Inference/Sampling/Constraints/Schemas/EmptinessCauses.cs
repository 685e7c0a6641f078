using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Why parts of a schema have no value, to be said when that leaves none for the whole.</summary>
sealed class EmptinessCauses
{
    readonly Dictionary<GrammarNode, Func<JsonSchemaException>> _causes = [];

    /// <summary>What to say of a node if it has no text; shared nodes always have one.</summary>
    public void Add(GrammarNode node, Func<JsonSchemaException> cause) => _causes.TryAdd(node, cause);

    /// <summary>
    /// The first cause among the parts that leave the whole without a text. A reference says what it has to say only where nothing
    /// below it does.
    /// </summary>
    public JsonSchemaException Find(GrammarNode root)
    {
        Func<JsonSchemaException>? last = null;
        HashSet<GrammarNode> seen = [root];
        Stack<GrammarNode> pending = new(seen);
        while (pending.TryPop(out GrammarNode? node))
        {
            if (_causes.TryGetValue(node, out Func<JsonSchemaException>? cause) && node is not Reference)
                return cause();
            last = cause ?? last;
            foreach (GrammarNode part in node.Parts.Where(part => part.Height == GrammarNode.Endless && seen.Add(part)).Reverse())
                pending.Push(part);
        }
        return last?.Invoke() ?? JsonSchemaException.At("#", "every value nests deeper: no value satisfies this",
            $"values of at most {Nested.MaxDepth} levels");
    }
}
