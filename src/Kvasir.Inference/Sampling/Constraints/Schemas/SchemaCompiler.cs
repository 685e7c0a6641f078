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

    /// <summary>What it may still cost to prepare the schema.</summary>
    public WorkLimit Work => _document.Work;

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
            return Values([_document.Root]);
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
        return _nodes.Count <= MaxNodes
            ? node
            : throw JsonSchemaException.At("#", $"a schema that needs more than {MaxNodes} rules", "a smaller one");
    }

    /// <summary>The values that satisfy all of the schemas.</summary>
    public GrammarNode Values(IEnumerable<Keyword> schemas) => Values(new Conjunction(_document, [], schemas));

    GrammarNode Values(Conjunction schema)
    {
        if (schema.IsNever)
            return Add(new Choice());
        string key = schema.Key;
        if (_known.TryGetValue(key, out GrammarNode? known))
            return known;
        if (++_nesting > MaxNesting)
            throw JsonSchemaException.At(schema.Pointer, "references nested deeper", $"at most {MaxNesting} levels");
        var self = Add(new Reference());
        _known[key] = self;
        _known[key] = self.To(Make(schema));
        _nesting--;
        return _known[key];
    }

    GrammarNode Make(Conjunction schema)
    {
        for (int i = 0; i < schema.Conjuncts.Count; i++)
            if (schema.Conjuncts[i].Options is { } options)
                return Options(schema, i, options);
        return schema.Any("enum", "const") ? new ListedValues(this, schema).Make() : OfTypes(schema, SchemaTypes.Meant(schema));
    }

    /// <summary>One alternative for each option, with all that stands beside the options.</summary>
    Choice Options(Conjunction schema, int choosing, Keyword options)
    {
        IEnumerable<Conjunct> beside = schema.Conjuncts.Select((conjunct, i) => i == choosing ? conjunct.WithoutOptions : conjunct);
        return Add(new Choice([.. options.Elements().Select(option => Values(new Conjunction(_document, beside, [option])))]));
    }

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
