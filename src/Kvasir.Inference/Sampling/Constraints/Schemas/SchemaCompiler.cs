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
    readonly EmptinessCauses _causes = new();
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
        return root.Height <= Nested.MaxDepth ? root : throw compiler._causes.Find(root);
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

    /// <summary>The same for a node that may have no text at all, and what to say then.</summary>
    public T Add<T>(T node, Func<JsonSchemaException> whyEmpty) where T : GrammarNode
    {
        _causes.Add(node, whyEmpty);
        return Add(node);
    }

    /// <summary>The values that satisfy all of the schemas.</summary>
    public GrammarNode Values(IEnumerable<Keyword> schemas) => Values(All(schemas));

    /// <summary>All that the schemas say.</summary>
    public Conjunction All(IEnumerable<Keyword> schemas) => new(_document, [], schemas);

    GrammarNode Values(Conjunction schema)
    {
        if (schema.Never is { } never)
            return Add(new Choice(), () => Keyword.Contradiction([never], "a schema that some value satisfies"));
        string key = schema.Key;
        if (_known.TryGetValue(key, out GrammarNode? known))
            return known;
        if (++_nesting > MaxNesting)
            throw JsonSchemaException.At(schema.Pointer, "references nested deeper", $"at most {MaxNesting} levels");
        var self = Add(new Reference(), () => JsonSchemaException.At(schema.Pointer,
            "every value nests without end: no value satisfies this", $"values of at most {Nested.MaxDepth} levels"));
        _known[key] = self;
        _known[key] = self.To(Make(schema));
        _nesting--;
        return _known[key];
    }

    GrammarNode Make(Conjunction schema)
    {
        if (schema.Choice is { } choice)
            return Options(schema, choice.Options, choice.IsExact);
        return schema.Any("enum", "const") ? new ListedValues(this, schema).Make() : OfTypes(schema, SchemaTypes.Meant(schema));
    }

    /// <summary>One alternative for each option, with all that stands beside the options.</summary>
    Choice Options(Conjunction schema, Keyword options, bool isExact)
    {
        IReadOnlyList<Keyword> all = options.Elements();
        IEnumerable<Conjunction> alternatives = isExact
            ? new ExactChoice(this, schema, options).Alternatives()
            : all.Select(option => schema.With(option));
        Choice choice = new([.. alternatives.Select(Values)]);
        return all.Count > 0 ? Add(choice) : Add(choice, () => Keyword.Contradiction([options], "at least one schema"));
    }

    GrammarNode OfTypes(Conjunction schema, JsonTypes types)
    {
        if (types == JsonTypes.All)
            return Syntax.Value;
        if (types == JsonTypes.None)
            return Add(new Choice(), () => NoType(schema));
        var options = ImmutableArray.CreateBuilder<GrammarNode>();
        if (types.HasFlag(JsonTypes.Object)) options.Add(new ObjectValues(this, schema).Make());
        if (types.HasFlag(JsonTypes.Array)) options.Add(new ArrayValues(this, schema).Make());
        if (types.HasFlag(JsonTypes.String)) options.Add(Strings(new(Work, schema)));
        if ((types & JsonTypes.Number) != 0) options.Add(Numbers(new(Work, schema), types));
        if (types.HasFlag(JsonTypes.Boolean)) options.Add(JsonText.Boolean);
        if (types.HasFlag(JsonTypes.Null)) options.Add(JsonText.Null);
        return options.Count == 1 ? options[0] : Add(new Choice(options.ToImmutable()));
    }

    GrammarNode Strings(StringValues strings) => Add(strings.Make(), strings.NoneIsLeft);

    Terminal Numbers(NumberValues numbers, JsonTypes types) => Add(numbers.Make(types), () => numbers.NoneIsLeft(types));

    static JsonSchemaException NoType(Conjunction schema) => schema.Limits == ValueLimits.None
        ? Keyword.Contradiction([.. schema.All("type")], "a type that all have")
        : JsonSchemaException.At(schema.Pointer, "another option allows the same: no value satisfies this", "options that exclude each other");

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
