using System.Text;
using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Gbnf;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;
using Kvasir.Inference.Sampling.Constraints.Schemas;

namespace Kvasir.Inference.Sampling.Constraints;

/// <summary>
/// The texts that a completion may be. Immutable and shareable; the completion's own state is a <see cref="ConstrainedText"/>.
/// </summary>
public sealed class OutputGrammar
{
    OutputGrammar(GrammarNode root) => Root = root;

    internal GrammarNode Root { get; }

    /// <summary>Any JSON object, compact or indented, nested up to 48 levels deep.</summary>
    public static OutputGrammar JsonObject() => new(JsonSyntax.Indented.Object);

    /// <summary>
    /// JSON that satisfies a schema, on one line with at most one space after a colon or comma. Properties come in the schema's order.
    /// Where the schema lists properties and does not speak of others, there are no others.
    /// </summary>
    /// <exception cref="JsonSchemaException">The schema is malformed, contradicts itself, costs too much or uses
    /// what is not supported.</exception>
    public static OutputGrammar JsonSchema(JsonElement schema) => new(SchemaCompiler.Compile(schema));

    /// <summary>Exactly this text, which may be empty.</summary>
    public static OutputGrammar Literal(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        ByteExpression bytes = ByteExpression.Text(Encoding.UTF8.GetBytes(text));
        return new(text.Length == 0 ? Nodes.Sequence.Nothing : new Terminal(ByteAutomaton.From(bytes, new WorkLimit(long.MaxValue))));
    }

    /// <summary>
    /// Any text in which a marker does not stand, nor the beginning of one at its end.
    /// </summary>
    /// <param name="marker">At least two characters of ASCII, the first of which does not come again.</param>
    public static OutputGrammar Without(string marker)
    {
        ArgumentNullException.ThrowIfNull(marker);
        string first = Escape(marker[0]);
        string[] begun = [.. Enumerable.Range(1, marker.Length - 1).Select(length => string.Concat(marker[..length].Select(Escape)))];
        IEnumerable<string> others = begun.Select((text, i) => $"{text}[^{first}{Escape(marker[i + 1])}]");
        return Pattern($"(?:[^{first}]|(?:{string.Join('|', begun)})*(?:{string.Join('|', others)}))*");

        static string Escape(char character) => $"\\x{(int)character:x2}";
    }

    /// <summary>Exactly one of these texts.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static OutputGrammar OneOf(IReadOnlyList<string> texts)
    {
        ArgumentOutOfRangeException.ThrowIfZero(texts?.Count ?? 0, nameof(texts));
        Alternation bytes = new([.. texts!.Select(text => ByteExpression.Text(Encoding.UTF8.GetBytes(text)))]);
        return new(new Terminal(ByteAutomaton.From(bytes, new WorkLimit(long.MaxValue))));
    }

    /// <summary>Texts that fit a regular expression (ECMAScript's notation) from their beginning to their end.</summary>
    /// <exception cref="PatternException">It is not well formed, costs too much, fits nothing or needs more than an automaton.</exception>
    public static OutputGrammar Pattern(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        try
        {
            var automaton = ByteAutomaton.From(PatternParser.Whole(pattern, CharacterBytes.Utf8));
            return !automaton.IsEmpty ? new(new Terminal(automaton)) : throw new PatternException("classes that no text fits");
        }
        catch (GrammarTooLargeException)
        {
            throw new PatternException("what takes too long to prepare, such as large counts");
        }
    }

    /// <summary>Texts of a grammar in llama.cpp's notation, GBNF, from its rule <c>root</c>.</summary>
    /// <exception cref="GbnfException">It is not well formed, begins a rule with itself, costs too much or has no text.</exception>
    public static OutputGrammar Gbnf(string grammar)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        return new(GbnfCompiler.Compile(grammar));
    }

    /// <summary>Whether a text of the grammar begins with this one.</summary>
    public bool CanBeginWith(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StateBuilder builder = new();
        return builder.Read(builder.Start(Root)!, Encoding.UTF8.GetBytes(text)) is not null;
    }

    /// <summary>One part after the other.</summary>
    public static OutputGrammar Sequence(params OutputGrammar[] parts) => new(new Nodes.Sequence([.. parts.Select(part => part.Root)]));

    /// <summary>Any of the options, of which there is at least one.</summary>
    public static OutputGrammar AnyOf(params OutputGrammar[] options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options?.Length ?? 0, nameof(options));
        return new(new Choice([.. options!.Select(option => option.Root)]));
    }

    /// <summary>The item once or more, with the separator between.</summary>
    /// <exception cref="ArgumentException">Both may be empty.</exception>
    public static OutputGrammar Repeat(OutputGrammar item, OutputGrammar separator)
    {
        ArgumentNullException.ThrowIfNull(item);
        ArgumentNullException.ThrowIfNull(separator);
        if (new StateBuilder().Start(item.Root)!.IsComplete && new StateBuilder().Start(separator.Root)!.IsComplete)
            throw new ArgumentException("item and separator may both be empty, expected one that is not");
        return new(new Repetition(item.Root, separator.Root, 1, int.MaxValue));
    }
}
