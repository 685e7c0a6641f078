using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Json;

/// <summary>JSON's scalars (RFC 8259).</summary>
static class JsonText
{
    const string Hex = "[0-9a-fA-F]";

    static readonly ByteAutomaton s_character = Automaton(
        @"[^""\\\x00-\x1f]|\\(?:[""\\/bfnrt]|u(?:[0-9a-cA-CefEF]" + Hex + "{3}|[dD][0-7]" + Hex + "{2}"
        + @"|[dD][89abAB]" + Hex + @"{2}\\u[dD][c-fC-F]" + Hex + "{2}))");

    static readonly ByteAutomaton s_string = ByteAutomaton.Loop(s_character, (byte)'"');

    public static Terminal Quote { get; } = new(Automaton("\""));

    /// <summary>The rest of any string, with its closing quote.</summary>
    public static Terminal StringRest { get; } = new(s_string);

    /// <summary>A key's rest in which nothing is escaped: each key has one spelling only.</summary>
    public static ByteAutomaton PlainStringRest { get; } = Automaton(@"[^""\\\x00-\x1f]*""");

    public static Terminal Null { get; } = new(Automaton("null"));

    public static Terminal Boolean { get; } = new(Automaton("true|false"));

    /// <summary>
    /// Digits are bounded, so that a model cannot go on with them for ever: an integer fits 64 bits, and a number has few
    /// more than a double tells apart.
    /// </summary>
    public static Terminal Integer { get; } = new(Automaton("0|-?[1-9][0-9]{0,17}"));

    public static Terminal Number { get; } = new(Automaton(@"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?"));

    /// <summary>A string of some number of characters, escaped or not.</summary>
    public static GrammarNode String(int least, int most) => new Sequence(Quote, new Terminal(s_string, least, most));

    public static ByteAutomaton Automaton(string pattern, WorkLimit? limit = null) =>
        ByteAutomaton.From(PatternParser.Whole(pattern, CharacterBytes.Utf8), limit);
}
