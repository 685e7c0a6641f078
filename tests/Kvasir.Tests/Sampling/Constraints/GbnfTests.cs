using System.Diagnostics;
using System.Text;
using CsCheck;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Gbnf;
using Kvasir.Inference.Sampling.Constraints.Masks;

namespace Kvasir.Tests.Sampling.Constraints;

public class GbnfTests
{
    const string Arithmetic = """
        # sums and products
        root  ::= (expr "=" ws term "\n")+
        expr  ::= term ([-+*/] term)*   # no rule begins with itself
        term  ::= ident | num | "(" ws expr ")" ws
        ident ::= [a-z] [a-z0-9_]* ws
        num   ::= [0-9]+ ws
        ws    ::= [ \t\n]*
        """;

    /// <summary>Whether a text is one of the grammar's, asked byte by byte.</summary>
    static bool Fits(OutputGrammar grammar, string text)
    {
        ConstrainedText constrained = new(grammar, ConstraintVocabularies.BytesTrie);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
            if (!constrained.Allows(value))
                return false;
            else
                constrained.Accept(value);
        return constrained.IsComplete;
    }

    static void Check(OutputGrammar grammar, string fitting, string others)
    {
        Assert.All(fitting.Split('¦'), text => Assert.True(Fits(grammar, text), $"'{text}' does not fit"));
        Assert.All(others.Split('¦'), text => Assert.False(Fits(grammar, text), $"'{text}' fits"));
    }

    [Theory]
    [InlineData(Arithmetic, "a=b\n¦(1 +x_2)*(3)=y\n¦((((a))))=1\na=a\n", "a=b¦(a=b\n¦a+=b\n¦=b\n¦A=b\n")]
    [InlineData("root ::= \"yes\" | \"no\"", "yes¦no", "¦y¦yesno")]
    [InlineData("root ::= a b\na ::= \"x\"*\nb ::= \"y\"?", "¦x¦xxxy¦y", "yy¦yx")]
    [InlineData("root ::= \"a\"{2} \"b\"{1,3} \"c\"{2,}", "aabcc¦aabbbcccc", "abcc¦aabbbbcc¦aabc")]
    [InlineData("root ::= \"(\" root \")\" | \"\"", "¦()¦((()))", "(¦)¦()()")]
    [InlineData("root ::= (\"(\" root \")\"){2,3} | \"x\"", "(x)(x)¦(x)((x)(x))(x)", "(x)¦(x)(x)(x)(x)¦()()")]
    [InlineData("root ::= (\"(\" root \")\")*", "¦()()¦(()())()", "(¦())")]
    [InlineData("root ::= ((\"(\" root \")\")? \"a\"?)*", "¦a¦(a)a()¦((a))", "(¦b")]
    [InlineData("root ::= [^a-y\"\\\\] [\\]\\-^] .", "z]é¦😀-\n¦Z^\"", "a]x¦z]¦\\^x¦z[x")]
    [InlineData("root ::= \"\\x41\\u00e9\\U0001F600\\n\\t\\r\\\"\\\\\"", "Aé😀\n\t\r\"\\", "A")]
    [InlineData("root ::= [a-] [-a] [日本]", "-a日¦a-本", "b-日")]
    [InlineData("root ::= (\n  \"a\" # first\n  | \"b\"\n)\r\n", "a¦b", "")]
    [InlineData("root ::= \"a\" |\n  \"b\"\n  | \"c\"\nother ::= \"d\"", "a¦b¦c", "d")]
    [InlineData("root ::= item item\nitem ::= \"<\" item \">\" | [0-9]", "12¦<<1>><2>", "1¦<1>")]
    [InlineData("a_1 ::= \"x\"\nroot ::= \n  a_1", "x", "¦xx")]
    [InlineData("root ::= \"\"", "", "a")]
    public void Texts_fit_as_the_grammar_says(string grammar, string fitting, string others) =>
        Check(OutputGrammar.Gbnf(grammar), fitting, others);

    [Theory]
    [InlineData("", "line 1, column 1: the end, expected a rule 'root'")]
    [InlineData("start ::= \"a\"", "expected a rule 'root'")]
    [InlineData("root ::= \"a\"\nb ::= missing \"c\"", "line 2, column 7: 'missing \"c\"', expected a rule that the grammar defines")]
    [InlineData("root = \"a\"", "line 1, column 6: '= \"a\"', expected '::='")]
    [InlineData("start: \"a\"", "expected '::='")]
    [InlineData("root ::= \"a", "line 1, column 10: '\"a', expected what ends it")]
    [InlineData("root ::= [a-", "line 1, column 10")]
    [InlineData("root ::= [z-a]", "line 1, column 11")]
    [InlineData("root ::= (\"a\"", "line 1, column 14: the end, expected ')'")]
    [InlineData("root ::= \"a\")", "line 1, column 13")]
    [InlineData("root ::= *", "line 1, column 10")]
    [InlineData("root ::= \"a\"{3,2}", "line 1, column 13: '{3,2}', expected a count")]
    [InlineData("root ::= \"a\"{x}", "line 1, column 13")]
    [InlineData("root ::= \"a\"{200000}", "a count of at most 100,000")]
    [InlineData("root ::= \"\\q\"", "line 1, column 11: '\\q\"', expected an escape")]
    [InlineData("root ::= \"\\ud800\"", "line 1, column 11")]
    [InlineData("root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: 'root ::= \"b\"', expected a name that no rule has yet")]
    [InlineData("root ::= root \"a\" | \"b\"", "line 1, column 10: 'root \"a\" | \"b\"', expected something before")]
    [InlineData("root ::= a\na ::= \" \"* b \"x\"\nb ::= a? \"y\"", "expected something before the rule that it begins with")]
    [InlineData("root ::= \"(\" root \")\"", "no text that ends")]
    [InlineData("root ::= <think>", "line 1, column 10")]
    [InlineData("root ::= ((\"a\"{1000}){1000}){1000}", "take too long to prepare")]
    [InlineData("root ::= ((\"(\" root \")\"){0,100}){0,100}", "at most 1,000 copies together")]
    public void What_cannot_be_used_is_refused_with_its_place(string grammar, string message)
    {
        var refused = Assert.Throws<GbnfException>(() => OutputGrammar.Gbnf(grammar));
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public void Hostile_grammars_cost_little()
    {
        Stopwatch watch = Stopwatch.StartNew();
        foreach (string grammar in (string[])[
            $"root ::= {new string('(', 100_000)}",
            $"root ::= \"a\"{new string('?', 100_000)}",
            "root ::= r0\n" + string.Concat(Enumerable.Range(0, 1900).Select(i => $"r{i} ::= r{i + 1} r{i + 1}\n")) + "r1900 ::= \"a\"",
            "root ::= [ab]* \"a\" [ab]{60}",
            string.Concat(Enumerable.Range(0, 3000).Select(i => $"r{i} ::= \"a\"\n"))])
            Assert.Throws<GbnfException>(() => OutputGrammar.Gbnf(grammar));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"took {watch.Elapsed}");
    }

    /// <summary>Two ways to read each level, of stacks that differ all the way down.</summary>
    [Fact]
    public void Recursion_has_no_bound_and_ambiguity_does_not_multiply()
    {
        OutputGrammar grammar = OutputGrammar.Gbnf("""
            root ::= e
            e ::= "(" e ")" | "((" e "))" | "(" e ")" | "x"
            """);
        ConstrainedText text = new(grammar, ConstraintVocabularies.BytesTrie);
        Stopwatch watch = Stopwatch.StartNew();
        foreach (char letter in new string('(', 3000) + "x" + new string(')', 3000))
            text.Accept(letter);
        Assert.True(text.MustEnd);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"took {watch.Elapsed}");
    }

    [Fact]
    public void What_is_drawn_under_the_mask_fits() =>
        Gen.Int[0, 1_000_000].Sample(seed =>
        {
            OutputGrammar grammar = OutputGrammar.Gbnf("""
                root   ::= object
                value  ::= object | array | string | number | "true" | "false" | "null"
                object ::= "{" ws (member ("," ws member)*)? "}" ws
                member ::= string ":" ws value ws
                array  ::= "[" ws (value ws ("," ws value ws)*)? "]"
                string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u00" [0-9a-f]{2}))* "\""
                number ::= "-"? ("0" | [1-9] [0-9]{0,8}) ("." [0-9]{1,6})?
                ws     ::= " "?
                """);
            TokenTrie trie = seed % 2 == 0 ? ConstraintVocabularies.PiecesTrie : ConstraintVocabularies.SagaTrie;
            using var json = System.Text.Json.JsonDocument.Parse(new Completion(grammar, trie, new Random(seed)).Run());
            Assert.Equal(System.Text.Json.JsonValueKind.Object, json.RootElement.ValueKind);
        }, iter: 60);

    [Theory]
    [InlineData("[a-c]{2}\\d+", "ab1¦cc123", "a1¦ab¦xab1¦ab1x")]
    [InlineData("^(yes|no)$", "yes¦no", "y¦yesno¦ yes")]
    [InlineData("^a$|^b", "a¦b", "ab¦bb")]
    [InlineData("\"[^\"]*\"", "\"é😀\\\"¦\"\"", "\"a¦\"\"\"")]
    [InlineData("", "", "a")]
    public void Regular_expressions_are_held_to_from_end_to_end(string pattern, string fitting, string others) =>
        Check(OutputGrammar.Pattern(pattern), fitting, others);

    [Theory]
    [InlineData("(a)\\1")]
    [InlineData("a{2,1}")]
    [InlineData("[]")]
    [InlineData("(a|b)*a(a|b){60}")]
    public void Expressions_without_an_automaton_are_refused(string pattern) =>
        Assert.Throws<PatternException>(() => OutputGrammar.Pattern(pattern));

    [Fact]
    public void One_of_some_texts() => Check(OutputGrammar.OneOf(["red", "redder", "é", "red"]), "red¦redder¦é", "¦re¦redé");
}
