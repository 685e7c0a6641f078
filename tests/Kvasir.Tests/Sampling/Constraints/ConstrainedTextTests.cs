using System.Text;
using System.Text.Json;
using CsCheck;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Sampling.Constraints.Nodes;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Tokenization;

namespace Kvasir.Tests.Sampling.Constraints;

public class ConstrainedTextTests
{
    static readonly TokenTrie s_bytes = ConstraintVocabularies.BytesTrie, s_pieces = ConstraintVocabularies.PiecesTrie;

    static OutputGrammar Schema(string schema)
    {
        using var json = JsonDocument.Parse(schema);
        return OutputGrammar.JsonSchema(json.RootElement);
    }

    static string[] Allowed(OutputGrammar grammar, TokenTrie trie, string read)
    {
        ConstrainedText text = new(grammar, trie);
        foreach (byte value in Encoding.UTF8.GetBytes(read))
            text.Accept(value); // in these vocabularies, a byte is a token
        float[] logits = new float[trie.Tokenizer.VocabularySize];
        text.Mask(logits);
        return [.. Enumerable.Range(0, logits.Length).Where(token => logits[token] == 0)
            .Select(token => trie.Tokenizer.Decode([token], ControlTokens.Shown))];
    }

    [Fact]
    public void In_json_mode_every_text_is_an_object() =>
        Gen.Int[0, 1_000_000].Sample(seed =>
        {
            TokenTrie trie = seed % 2 == 0 ? s_pieces : ConstraintVocabularies.SagaTrie;
            using var json = JsonDocument.Parse(new Completion(OutputGrammar.JsonObject(), trie, new Random(seed)).Run(seed % 300));
            Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
            Read(json.RootElement);
        }, iter: 200);

    /// <summary>Text that parses may still hold half a surrogate pair, which is found when it is read.</summary>
    static int Read(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!.Length,
        JsonValueKind.Object => value.EnumerateObject().Sum(member => member.Name.Length + Read(member.Value)),
        JsonValueKind.Array => value.EnumerateArray().Sum(Read),
        _ => 1,
    };

    [Fact]
    public void White_space_and_depth_are_bounded()
    {
        OutputGrammar json = OutputGrammar.JsonObject();
        string white = "{";
        for (string[] allowed = Allowed(json, s_bytes, white); white.Length < 500
            && allowed.FirstOrDefault(string.IsNullOrWhiteSpace) is { } next; allowed = Allowed(json, s_bytes, white))
            white += next;
        Assert.InRange(white.Length, 60, 200);
        string deep = "{\"a\":" + new string('[', 46);
        Assert.Contains("[", Allowed(json, s_bytes, deep));
        Assert.DoesNotContain("[", Allowed(json, s_bytes, deep + "["));
        Assert.Contains("]", Allowed(json, s_bytes, deep + "["));
    }

    [Fact]
    public void Only_what_can_follow_is_left()
    {
        OutputGrammar grammar =
            Schema("""{"type":"object","properties":{"a":{"type":"boolean"},"b":{"enum":["value","é"]}},"required":["b"]}""");
        Assert.Equal(["{", "{\"", "{\"a"], Allowed(grammar, s_pieces, ""));
        Assert.Equal(["a", "b", "a\":"], Allowed(grammar, s_pieces, "{\""));
        Assert.Equal([" ", "\"", " \""], Allowed(grammar, s_pieces, "{\"b\":"));
        Assert.Equal(["v", "value", "é"], Allowed(grammar, s_pieces, "{\"b\":\"").Where(text => text != "\uFFFD"));
        Assert.Equal(["\"", "\"}"], Allowed(grammar, s_pieces, "{\"b\":\"value"));
        Assert.Equal(["<end>"], Allowed(grammar, s_pieces, "{\"b\":\"value\"}"));
    }

    [Fact]
    public void The_end_comes_exactly_when_the_text_is_complete()
    {
        ConstrainedText number = new(Schema("""{"type":"integer","minimum":1,"maximum":25}"""), s_bytes);
        Assert.Equal((false, false), (number.IsComplete, number.MustEnd));
        Assert.Throws<ArgumentException>(() => number.Accept(256));
        number.Accept('2');
        Assert.Equal((true, false), (number.IsComplete, number.MustEnd));
        Assert.Throws<ArgumentException>(() => number.Accept('6'));
        number.Accept('5'); // a refusal changes nothing
        Assert.Equal((true, true, false), (number.IsComplete, number.MustEnd, number.HasEnded));
        number.Accept(256);
        Assert.True(number.HasEnded);
        Assert.Throws<ArgumentException>(() => number.Accept(256));
    }

    [Fact]
    public void Control_tokens_and_those_without_bytes_never_come()
    {
        Tokenizer tokenizer = new(VocabulariesByHand.BytesWith("<end>", "a", "{\"") with { Eos = 256 });
        Assert.DoesNotContain(Allowed(OutputGrammar.JsonObject(), new TokenTrie(tokenizer), ""), text => text == "{\"");
        ConstrainedText text = new(OutputGrammar.JsonObject(), new TokenTrie(tokenizer));
        Assert.Throws<ArgumentException>(() => text.Accept(258));
    }

    [Fact]
    public void Rows_beyond_the_vocabulary_are_masked_and_too_few_are_refused()
    {
        ConstrainedText text = new(OutputGrammar.JsonObject(), s_bytes);
        float[] logits = new float[300];
        text.Mask(logits);
        Assert.Equal(['{'], Enumerable.Range(0, 300).Where(token => logits[token] == 0));
        Assert.Throws<ArgumentException>(() => text.Mask(new float[256]));
    }

    [Fact]
    public void A_vocabulary_that_cannot_spell_the_text_is_an_error()
    {
        Vocabulary noBraces = VocabulariesByHand.BytesWith("<end>") with { Eos = 256 };
        Tokenizer tokenizer =
            new(noBraces with { Types = [.. noBraces.Types.Select((type, token) => token == '}' ? TokenType.Control : type)] });
        ConstrainedText text = new(OutputGrammar.Literal("{}"), new TokenTrie(tokenizer));
        text.Accept('{');
        Assert.Throws<UnspellableTextException>(() => text.Mask(new float[257]));
    }

    [Fact]
    public void Parts_are_put_together()
    {
        OutputGrammar call = OutputGrammar.Sequence(
            OutputGrammar.Literal("<call>"),
            OutputGrammar.AnyOf(
                Schema("""{"type":"object","properties":{"name":{"const":"add"},"arguments":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}},"required":["name","arguments"]}"""),
                Schema("""{"type":"object","properties":{"name":{"const":"now"},"arguments":{"type":"object","properties":{},"additionalProperties":false}},"required":["name","arguments"]}""")),
            OutputGrammar.Literal("</call>"));
        OutputGrammar calls = OutputGrammar.Repeat(call, OutputGrammar.Literal("\n"));
        string one = """<call>{"name":"add","arguments":{"x":-3}}</call>""", other = """<call>{"name": "now", "arguments": {}}</call>""";
        Assert.Contains("<end>", Allowed(calls, s_bytes, one));
        Assert.Contains("<end>", Allowed(calls, s_bytes, one + "\n" + other));
        Assert.Equal(["<"], Allowed(calls, s_bytes, one + "\n"));
        Assert.Equal(["<end>", "\n"], Allowed(calls, s_bytes, other).Order(StringComparer.Ordinal).Reverse());
        Assert.Equal(["o"], Allowed(calls, s_bytes, """<call>{"name":"n"""));
        Assert.Equal(["}"], Allowed(calls, s_bytes, """<call>{"name":"now","arguments":{"""));
    }

    [Fact]
    public void Repeating_what_may_be_empty_is_refused()
    {
        OutputGrammar empty = OutputGrammar.Literal("");
        Assert.Throws<ArgumentException>(() => OutputGrammar.Repeat(empty, empty));
        Assert.Contains("<end>", Allowed(OutputGrammar.Repeat(empty, OutputGrammar.Literal(",")), s_bytes, ",,"));
        Assert.Throws<ArgumentOutOfRangeException>(() => OutputGrammar.AnyOf());
    }

    /// <summary>Bytes are counted by no token alone here: the text is what the decoder shows, without the space that it drops.</summary>
    [Fact]
    public void A_space_that_the_decoder_drops_is_no_part_of_the_text()
    {
        Vocabulary pieces = VocabulariesByHand.Pieces;
        Tokenizer tokenizer = new(pieces with
        {
            Tokens = [.. pieces.Tokens, "▁{", "▁▁"],
            Types = [.. pieces.Types, TokenType.Normal, TokenType.Normal],
            Scores = [],
        });
        TokenTrie trie = new(tokenizer);
        int brace = tokenizer.Find("▁{")!.Value, space = tokenizer.Find("▁")!.Value, two = tokenizer.Find("▁▁")!.Value, plain = 3 + '{';
        ConstrainedText first = new(OutputGrammar.JsonObject(), trie, dropsLeadingSpace: true),
            inside = new(OutputGrammar.JsonObject(), trie);
        Assert.Equal([true, true, false, true], new[] { brace, space, two, plain }.Select(first.Allows));
        Assert.Equal([false, false, false, true], new[] { brace, space, two, plain }.Select(inside.Allows));
        first.Accept(space);
        Assert.Equal([false, false, false, true], new[] { brace, space, two, plain }.Select(first.Allows));
        Assert.Equal(tokenizer.Decode([plain]), tokenizer.Decode([space, plain])); // that is what it is for
        Gen.Int[0, 1_000_000].Sample(seed =>
        {
            Completion completion = new(OutputGrammar.JsonObject(), trie, new Random(seed), dropsLeadingSpace: true);
            completion.Run();
            using var json = JsonDocument.Parse(tokenizer.Decode([.. completion.Tokens]));
        }, iter: 50);
    }

    /// <summary>
    /// A walk over all tokens is done once for a place in a string, whatever the grammar, what is around the string,
    /// and how much room is left in it.
    /// </summary>
    [Fact]
    public void What_fits_inside_a_string_is_found_once_for_all_grammars()
    {
        TokenTrie trie = new(Vocabularies.Saga);
        OutputGrammar json = OutputGrammar.JsonObject(),
            schema = Schema("""{"type":"object","properties":{"a":{"type":"string","minLength":2,"maxLength":100000}}}""");
        TerminalTokens Inside(OutputGrammar grammar, string read)
        {
            StateBuilder builder = new();
            GrammarState state = builder.Read(builder.Start(grammar.Root)!, Encoding.UTF8.GetBytes(read))!;
            return trie.TokensOf(TerminalPlace.Of(Assert.Single(state.Readings), trie.LongestToken));
        }
        TerminalTokens first = Inside(json, "{\"b\": [{\"c\": \"text");
        Assert.Same(first, Inside(json, "{\"b"));
        Assert.Same(first, Inside(schema, "{\"a\":\"text"));
        Assert.NotSame(first, Inside(schema, "{\"a\":\"t"));
        Assert.Same(Inside(schema, "{\"a\":\"t"), Inside(schema, "{\"a\":\"u"));
    }

    [Fact]
    public void Two_completions_and_two_threads_share_a_grammar_and_a_trie()
    {
        OutputGrammar grammar = Schema("""{"type":"array","items":{"type":"string","maxLength":9},"minItems":2,"maxItems":4}""");
        string Run(int seed) => new Completion(grammar, new TokenTrie(Vocabularies.Saga), new Random(seed)).Run();
        string RunShared(int seed) => new Completion(grammar, ConstraintVocabularies.SagaTrie, new Random(seed)).Run();
        string[] alone = [.. Enumerable.Range(0, 8).Select(Run)];
        Assert.Equal(alone, Enumerable.Range(0, 8).AsParallel().AsOrdered().Select(RunShared));
    }
}
