using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Json;

/// <summary>JSON's structure with a bounded amount of white space.</summary>
sealed class JsonSyntax
{
    readonly Terminal _openObject, _closeObject, _openArray, _closeArray, _colon;

    /// <param name="space">A pattern of what may stand after an opening bracket and before a closing one.</param>
    /// <param name="separation">A pattern of what may stand after a comma.</param>
    JsonSyntax(string space, string separation)
    {
        _openObject = new(JsonText.Automaton(@"\{" + space));
        _closeObject = new(JsonText.Automaton(space + @"\}"));
        _openArray = new(JsonText.Automaton(@"\[" + space));
        _closeArray = new(JsonText.Automaton(space + "]"));
        _colon = new(JsonText.Automaton(": ?"));
        Comma = new(JsonText.Automaton("," + separation));

        Reference value = new();
        GrammarNode member = new Sequence(StringKey(JsonText.StringRest), value);
        GrammarNode members = new Repetition(member, Comma, 0, int.MaxValue), items = new Repetition(value, Comma, 0, int.MaxValue);
        Nested array = new(ArrayBody(items));
        Object = new Nested(ObjectBody(members));
        Value = value.To(new Choice(Object, array, new Sequence(JsonText.Quote, JsonText.StringRest), JsonText.Number,
            JsonText.Boolean, JsonText.Null));
        foreach (GrammarNode node in (GrammarNode[])[value, member, members, items])
            node.Settle(); // what refers to a value could not be measured before
    }

    /// <summary>On one line, with at most one space after a colon or comma.</summary>
    public static JsonSyntax Compact { get; } = new("", " ?");

    /// <summary>Also with lines and indentation.</summary>
    public static JsonSyntax Indented { get; } = new(@"(?: |\n {0,64})?", @"(?: |\n {0,64})?");

    public Terminal Comma { get; }

    /// <summary>Any object.</summary>
    public GrammarNode Object { get; }

    /// <summary>Any value.</summary>
    public GrammarNode Value { get; }

    /// <summary>Members in their brackets.</summary>
    public Sequence ObjectBody(GrammarNode members) => new(_openObject, members, _closeObject);

    /// <summary>Items in their brackets.</summary>
    public Sequence ArrayBody(GrammarNode items) => new(_openArray, items, _closeArray);

    /// <summary>A key from its opening quote to the colon.</summary>
    public GrammarNode StringKey(Terminal rest) => new Sequence(JsonText.Quote, rest, _colon);

    /// <summary>A certain key with its colon.</summary>
    public static Terminal Key(string name, WorkLimit limit) =>
        new(ByteAutomaton.From(
            ByteExpression.Text(CharacterBytes.Quote(name)) + ByteExpression.Text(":"u8) + ByteExpression.Text(" "u8).Times(0, 1), limit));
}
