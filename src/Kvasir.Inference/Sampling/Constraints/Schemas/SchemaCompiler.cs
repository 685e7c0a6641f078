using System.Collections.Immutable;
using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Makes a grammar of a JSON schema (draft 2020-12, and what older ones spell differently where noted).</summary>
sealed class SchemaCompiler
{
    const int MaxNodes = 20_000, MaxNesting = 64;

    readonly SchemaDocument _document;
    readonly Dictionary<string, GrammarNode> _known = [];
    readonly List<GrammarNode> _nodes = [];
    int _nesting;

    SchemaCompiler(SchemaDocument document) => _document = document;

    public static JsonSyntax Syntax => JsonSyntax.Compact;

    /// <summary>What the automata of this schema may still cost.</summary>
    public WorkLimit Work { get; } = new(WorkLimit.PerGrammar);

    public static GrammarNode Compile(JsonElement schema)
    {
        SchemaDocument document = new(schema);
        SchemaCompiler compiler = new(document);
        GrammarNode root = compiler.Root();
        compiler.Settle();
        return root.Height <= Nested.MaxDepth ? root
            : throw JsonSchemaException.At("#", "a schema that no value satisfies", $"one with values of at most {Nested.MaxDepth} levels");
    }

    GrammarNode Root()
    {
        try
        {
            return Values([new(_document.Root)]);
        }
        catch (GrammarTooLargeException)
        {
            throw JsonSchemaException.At("#", "a schema that takes too long to prepare", "fewer or shorter names and values");
        }
    }

    /// <summary>Keeps a node of this grammar, so that it is measured when all are there.</summary>
    public T Add<T>(T node) where T : GrammarNode
    {
        _nodes.Add(node);
        return _nodes.Count <= MaxNodes ? node : throw JsonSchemaException.At("#", $"a schema that needs more than {MaxNodes} rules", "a smaller one");
    }

    /// <summary>The values that satisfy all of the schemas.</summary>
    public GrammarNode Values(IEnumerable<Conjunct> schemas)
    {
        Conjunction schema = new(_document, schemas);
        if (schema.IsNever)
            return Add(new Choice());
        if (_known.TryGetValue(schema.Key, out GrammarNode? known))
            return known;
        if (++_nesting > MaxNesting)
            throw JsonSchemaException.At(schema.Pointer, "references nested deeper", $"at most {MaxNesting} levels");
        var self = Add(new Reference());
        _known[schema.Key] = self;
        _known[schema.Key] = self.To(Make(schema));
        _nesting--;
        return _known[schema.Key];
    }

    GrammarNode Make(Conjunction schema)
    {
        for (int i = 0; i < schema.Conjuncts.Count; i++)
        {
            Conjunct conjunct = schema.Conjuncts[i];
            if (!conjunct.WithoutAnyOf && conjunct.Find("anyOf") is { } any)
                return Options(schema, i, conjunct with { WithoutAnyOf = true }, any);
            if (!conjunct.WithoutOneOf && conjunct.Find("oneOf") is { } one)
                return Options(schema, i, conjunct with { WithoutOneOf = true }, one);
        }
        return schema.Any("enum", "const") ? new ListedValues(this, schema).Make() : OfTypes(schema, SchemaTypes.Meant(schema));
    }

    /// <summary>One alternative for each option, with all that stands beside the options.</summary>
    Choice Options(Conjunction schema, int at, Conjunct without, Keyword options) => Add(new Choice(
    [
        .. options.Elements().Select(option => Values([.. schema.Conjuncts.Take(at), without, .. schema.Conjuncts.Skip(at + 1), new(option)])),
    ]));

    GrammarNode OfTypes(Conjunction schema, JsonTypes types)
    {
        if (types == JsonTypes.All)
            return Syntax.Value;
        var options = ImmutableArray.CreateBuilder<GrammarNode>();
        if (types.HasFlag(JsonTypes.Object)) options.Add(new ObjectValues(this, schema).Make());
        if (types.HasFlag(JsonTypes.Array)) options.Add(new ArrayValues(this, schema).Make());
        if (types.HasFlag(JsonTypes.String)) options.Add(Add(new StringValues(Work, schema).Make()));
        if ((types & JsonTypes.Number) != 0) options.Add(Add(new NumberValues(Work, schema).Make(types)));
        if (types.HasFlag(JsonTypes.Boolean)) options.Add(JsonText.Boolean);
        if (types.HasFlag(JsonTypes.Null)) options.Add(JsonText.Null);
        return options.Count == 1 ? options[0] : Add(new Choice(options.ToImmutable()));
    }

    /// <summary>Heights of what refers back to itself become known one reference after the other.</summary>
    void Settle()
    {
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach (GrammarNode node in _nodes)
                changed |= node.Settle();
        }
    }
}
