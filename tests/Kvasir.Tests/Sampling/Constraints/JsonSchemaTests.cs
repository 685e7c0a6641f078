using System.Globalization;
using System.Text.Json;
using CsCheck;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Sampling.Constraints.Schemas;

namespace Kvasir.Tests.Sampling.Constraints;

public class JsonSchemaTests
{
    static readonly string[] s_contradictions = ["no value satisfies this", "may have values in common"]; // of random parts

    const int Usual = 600;
    const ulong Seed = 7;

    /// <summary>More, and others each time, where time does not matter; see README, "Test it".</summary>
    static readonly int s_schemas =
        int.TryParse(Environment.GetEnvironmentVariable("KVASIR_SCHEMAS"), CultureInfo.InvariantCulture, out int schemas) ? schemas : Usual;

    static OutputGrammar Grammar(string schema)
    {
        using var json = JsonDocument.Parse(schema);
        return OutputGrammar.JsonSchema(json.RootElement);
    }

    static OutputGrammar? GrammarOrNone(string schema)
    {
        try
        {
            return Grammar(schema);
        }
        catch (JsonSchemaException refused) when (s_contradictions.Any(text => refused.Message.Contains(text, StringComparison.Ordinal)))
        {
            return null;
        }
    }

    /// <summary>Whether a text is one of the grammar's, asked byte by byte.</summary>
    static bool Fits(OutputGrammar grammar, string text)
    {
        ConstrainedText constrained = new(grammar, ConstraintVocabularies.BytesTrie);
        foreach (byte value in System.Text.Encoding.UTF8.GetBytes(text))
            if (!constrained.Allows(value))
                return false;
            else
                constrained.Accept(value);
        return constrained.IsComplete;
    }

    static TokenTrie Trie(int choice) => (choice % 3) switch
    {
        0 => ConstraintVocabularies.BytesTrie,
        1 => ConstraintVocabularies.PiecesTrie,
        _ => ConstraintVocabularies.SagaTrie,
    };

    [Fact]
    public void Whatever_is_drawn_under_the_mask_parses_and_satisfies_the_schema()
    {
        int usable = 0;
        var gen = Gen.Select(RandomSchemas.Any, Gen.Int[0, 1_000_000]);
        if (s_schemas > Usual)
            gen.Sample(Check, iter: s_schemas);
        else // the same each time: others are looked for where somebody waits for what they find
            Parallel.For(0, s_schemas, round => Check(gen.Generate(new PCG((uint)round, Seed), null, out _)));
        Assert.True(usable > s_schemas / 2, $"{usable} of {s_schemas} schemas can be satisfied");
        TestContext.Current.TestOutputHelper?.WriteLine($"{usable} of {s_schemas} schemas were held to");

        void Check((string Schema, int Seed) drawn)
        {
            if (GrammarOrNone(drawn.Schema) is not { } grammar)
                return;
            Interlocked.Increment(ref usable);
            string text = new Completion(grammar, Trie(drawn.Seed), new Random(drawn.Seed)).Run();
            Assert.True(SchemaValidator.IsValid(drawn.Schema, text), $"{drawn.Schema}: {text}");
            Assert.True(StandardValidator.IsValid(drawn.Schema, text), $"{drawn.Schema}: {text}");
        }
    }

    [Theory]
    [InlineData("""{"oneOf":[{},{"type":"integer"}],"type":"number"}""")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"type":"number"}]}""")]
    public void A_number_that_may_be_no_integer_is_none_to_who_reads_doubles(string schema)
    {
        OutputGrammar grammar = Grammar(schema);
        for (int seed = 0; seed < 300; seed++)
        {
            string text = new Completion(grammar, Trie(seed), new Random(seed)).Run();
            Assert.False(double.IsInteger(double.Parse(text, CultureInfo.InvariantCulture)), text);
        }
    }

    /// <summary>All texts of small schemas, found by trying every byte, are those that there should be, and each is drawn.</summary>
    [Theory]
    [InlineData("""{"enum":["a",1,null,[true]]}""", """ "a" 1 null [true]""")]
    [InlineData("""{"type":"integer","exclusiveMinimum":-3,"maximum":2}""", "-2 -1 0 1 2")]
    [InlineData("""{"type":["boolean","null"]}""", "true false null")]
    [InlineData("""{"type":"string","pattern":"^[ab]{1,2}$"}""", """ "a" "b" "aa" "ab" "ba" "bb" """)]
    [InlineData("""{"type":"object","properties":{"a":{"const":1},"b":{"enum":[2,3]}},"required":["b"]}""",
        """{"b":2} {"b":3} {"a":1,"b":2} {"a":1,"b":3}""")]
    [InlineData("""{"type":"array","items":{"type":"boolean"},"maxItems":2}""",
        "[] [true] [false] [true,true] [true,false] [false,true] [false,false]")]
    [InlineData("""{"anyOf":[{"const":1},{"$ref":"#/$defs/x"}],"$defs":{"x":{"anyOf":[{"const":2},{"type":"boolean"}]}}}""", "1 2 true false")]
    [InlineData("""{"oneOf":[{"enum":[1,2,3]},{"enum":[3,4]},{"type":"null"}]}""", "1 2 4 null")]
    [InlineData("""{"properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"oneOf":[{"required":["a"]},{"required":["b"]}]}""",
        """{"a":1} {"b":2} {"a":1,"c":3} {"b":2,"c":3}""")]
    [InlineData("""{"allOf":[{"type":["string","integer"]},{"enum":["x",7,null]}]}""", """ "x" 7""")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1},{"enum":[2,3]}],"items":false,"minItems":1}""", "[1] [1,2] [1,3]")]
    public void Every_branch_of_a_small_schema_is_reached(string schema, string expected)
    {
        OutputGrammar grammar = Grammar(schema);
        string[] texts = [.. expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
        List<string> all = [];
        Enumerate(grammar, "", all);
        Assert.Equal(texts, all.Order(StringComparer.Ordinal));
        HashSet<string> drawn = [.. Enumerable.Range(0, 400).Select(seed =>
            new Completion(grammar, Trie(seed % 2), new Random(seed)).Run().Replace(" ", "", StringComparison.Ordinal))];
        Assert.Equal(texts, drawn.Order(StringComparer.Ordinal));
    }

    static void Enumerate(OutputGrammar grammar, string read, List<string> texts)
    {
        ConstrainedText text = new(grammar, ConstraintVocabularies.BytesTrie);
        foreach (char letter in read)
            text.Accept(letter);
        if (text.IsComplete)
            texts.Add(read);
        for (char letter = '!'; letter < 127; letter++)
            if (text.Allows(letter))
                Enumerate(grammar, read + letter, texts);
    }

    [Theory]
    [InlineData("ipv6", "::|::1|2001:db8::1|1:2:3:4:5:6:7:8|fe80::", ". |1:2|::1::|1:2:3:4:5:6:7:8:9|12345::|1:2:3:4:5:6:7::8")]
    [InlineData("uri", "https://example.com|http://a.bc:80/c/d?e=f#g|urn:isbn:0451450523|mailto:a@b.de", "example|//a|http:|http://|a b")]
    [InlineData("hostname", "localhost|example.com|a-b.c1.org", "-a|a-|a..b|.|a_b|")]
    [InlineData("duration", "P1D|PT1H30M|P1Y2M3DT4H5M6S|P2W|PT0S", "P|PT|1D|P1H|P1D2W|P1S")]
    [InlineData("regex", "^a+$|[a-z]{2,5}|(foo)?\\\\d*", "(|[a|a)|*a|a**|a{5,2}")]
    [InlineData("json-pointer", "|/|/a/b~1c/~0|/é", "a|/~|/~2")]
    public void Strings_are_held_to_formats(string format, string fitting, string others)
    {
        OutputGrammar grammar = Grammar($"{{\"type\":\"string\",\"format\":\"{format}\"}}");
        Assert.All(fitting.Split('|'), text => Assert.True(Fits(grammar, $"\"{text}\""), $"{text} does not fit"));
        Assert.All(others.Split('|'), text => Assert.False(Fits(grammar, $"\"{text}\""), $"{text} fits"));
    }

    [Fact]
    public void A_token_is_allowed_exactly_if_its_bytes_are_one_by_one() =>
        Gen.Select(RandomSchemas.Any, Gen.Int[0, 1_000_000], Gen.Int[0, 30]).Sample((schema, seed, steps) =>
        {
            if (GrammarOrNone(schema) is not { } grammar)
                return;
            TokenTrie trie = seed % 2 == 0 ? ConstraintVocabularies.PiecesTrie : ConstraintVocabularies.SagaTrie;
            Completion tokens = new(grammar, trie, new Random(seed));
            for (int i = 0; i < steps && !tokens.Text.HasEnded; i++)
                tokens.Step(closing: false);
            byte[] read = tokens.Bytes;
            for (int token = 0; token < trie.Tokenizer.VocabularySize && !tokens.Text.HasEnded; token++)
                Assert.Equal(FitsNext(grammar, read, trie.Tokenizer.Bytes(token), trie.Tokenizer.Ends.Contains(token)),
                    tokens.Text.Allows(token));
        }, iter: 60);

    static bool FitsNext(OutputGrammar grammar, byte[] read, ReadOnlySpan<byte> bytes, bool isEnd)
    {
        ConstrainedText text = new(grammar, ConstraintVocabularies.BytesTrie);
        foreach (byte value in read)
            text.Accept(value);
        if (isEnd || bytes.IsEmpty)
            return isEnd && text.IsComplete;
        foreach (byte value in bytes)
        {
            if (!text.Allows(value))
                return false;
            text.Accept(value);
        }
        return true;
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["b"]}""", """{"b":"x"}|{"a":1,"b":""}|{"a": -20, "b": "é"}""", """{}|{"a":1}|{"b":"x","a":1}|{"a":1,"b":"x","c":1}|{"a":1.5,"b":""}|{"a":01,"b":""}| {"b":""}|{"b":""} |{"b":"",}|{"a":1  ,"b":""}""")]
    [InlineData("""{"type":"object","properties":{"a":{"const":1}},"additionalProperties":{"type":"boolean"}}""",
        """{}|{"a":1}|{"x":true}|{"a":1,"x":true, "ab":false}|{"":true}|{"aé":true}""",
        """{"a":true}|{"x":true,"a":1}|{"x":true,"a":true}|{"x":1}|{"\u0061":true}""")]
    [InlineData("""{"type":"array","items":{"enum":["é\"","\n",null,[1.0]]},"minItems":1,"maxItems":3}""", """["é\""]|["\n", null,[1.0]]""",
        """[]|[null,null,null,null]|["\u00e9\""]|[1.0]""")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1},{"const":2}],"minItems":1}""", "[1]|[1,2]|[1, 2]", "[]|[2]|[1,2,3]|[1,]")]
    [InlineData("""{"items":[{"const":1},{"const":2}],"minItems":1}""", "[1]|[1,2]", "[]|[2]|[1,2,3]")]
    [InlineData("""{"items":[{"const":1}],"additionalItems":{"const":2},"maxItems":3}""", "[]|[1]|[1,2]|[1,2,2]", "[2]|[1,1]|[1,2,2,2]")]
    [InlineData("""{"type":"array","items":{"const":1},"additionalItems":false,"maxItems":2}""", "[]|[1]|[1,1]", "[2]|[1,1,1]")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1}],"items":{"const":2},"maxItems":3}""",
        "[]|[1]|[1,2]|[1,2,2]", "[2]|[1,1]|[1,2,2,2]")]
    [InlineData("""{"type":"integer","minimum":-12,"exclusiveMaximum":105}""", "-12|-9|-1|0|7|99|104", "-13|-0|105|00|1.0|1e1|200|-120")]
    [InlineData("""{"type":"number","minimum":0,"maximum":1}""", "0|1|0.5|0.000123", "-0.1|1.5|2|-1|1.01|00.5|.5|1.")]
    [InlineData("""{"type":"number","exclusiveMinimum":-0.25,"maximum":1.5}""",
        "-0.24|-0.2|0|0.0|1.5|1.50|1.499999|-0.001", "-0.25|-0.3|1.51|1.6|2|-1")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":3}""", "\"ab\"|\"é😀日\"|\"\\n\\u00e9\\ud83d\\ude00\"",
        "\"a\"|\"abcd\"|\"\\ud83d\\ude00\"|\"\\ude00ab\"|\"\\ud83dab\"|\"a\nb\"|\"\"")]
    [InlineData("""{"type":"string","pattern":"^(yes|no)$"}""", "\"yes\"|\"no\"", "\"yes \"|\"y\"|\"yesno\"")]
    [InlineData("""{"pattern":"b\"","maxLength":4}""", "\"b\\\"\"|\"aab\\\"\"|\"b\\\"\\n\\\\\"", "\"b\"|\"aaab\\\"\"")]
    [InlineData("""{"type":["string","null"],"format":"date"}""", "null|\"2024-02-29\"|\"1999-12-31\"|\"2000-02-29\"",
        "\"2023-02-29\"|\"1900-02-29\"|\"2024-13-01\"|\"2024-04-31\"|\"24-01-01\"")]
    [InlineData("""{"type":"string","format":"date-time"}""", "\"2024-02-29T23:59:59Z\"|\"1985-04-12T23:20:50.52-08:00\"",
        "\"2024-02-29\"|\"2024-02-29T24:00:00Z\"|\"2024-02-29T23:59:59\"")]
    [InlineData("""{"enum":[1,"a",true,2.5],"type":["string","integer"]}""", "1|\"a\"", "true|2.5")]
    [InlineData("""{"enum":["a","abc",7,30],"minLength":2,"maximum":10}""", "\"abc\"|7", "\"a\"|30")]
    [InlineData("""{"type":"object","properties":{"k":{"const":"x"},"v":{}},"anyOf":[{"required":["k"]},{"required":["v"]}]}""",
        """{"k":"x"}|{"v":[]}|{"k":"x","v":{"a":{}}}""", """{}|{"k":"y"}""")]
    [InlineData(
        """{"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"a":{"minimum":3},"b":{"type":"null"}}}]}""",
        """{"a":3}|{"a":4,"b":null}""", """{"a":2}|{"b":null}|{"a":3.5}""")]
    [InlineData("""{"type":"object","properties":{"v":{"type":"integer"},"next":{"$ref":"#"}},"required":["v"]}""",
        """{"v":1}|{"v":1,"next":{"v":2,"next":{"v":3}}}""", """{"v":1,"next":{}}|{"next":{"v":1}}""")]
    [InlineData("""{"$ref":"#/definitions/a~1b%20c","definitions":{"a/b c":{"type":"boolean"}}}""", "true|false", "null|1")]
    [InlineData("""{"title":"t","description":"d","default":3,"examples":[1],"$schema":"s","$id":"i","$comment":"c","format":"colour","type":"boolean"}""", "true", "1")]
    [InlineData("""{"anyOf":[{"type":"integer"},{"type":"number"},false]}""", "1|1.5|1e5|-0", "-|1.|1e|x")]
    [InlineData("""{"allOf":[{"anyOf":[{"type":"integer"},{"$ref":"#/$defs/s"}]},{"oneOf":[{"type":"integer","minimum":3},{"type":"string","maxLength":1}]}],"$defs":{"s":{"type":"string"}}}""", "3|\"a\"", "2|\"ab\"|null")]
    [InlineData("""{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"type":"null"}]},"b":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"array","items":{"$ref":"#/$defs/b"}}]}}}""", "null|[]|[null,[null,[]]]", "1|{}")]
    [InlineData("""{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}""",
        "0.5|0.000000000001|0.99999999999999|0.10", "0.999999999999999999|0|1|0.0|1.0|-0.5|0.000|1.1|0.5e0")]
    [InlineData("""{"type":"number","exclusiveMinimum":0,"maximum":1}""", "0.001|1|1.0|0.99", "0|0.0|1.01|-0.1|1.000000001")]
    [InlineData("""{"type":"number","exclusiveMinimum":-1,"exclusiveMaximum":1}""",
        "-0.999999|0|0.0|0.25|-0.000001", "-1|1|-1.0|-0|-0.0|1.5")]
    [InlineData("""{"type":"number","exclusiveMinimum":1e-30,"exclusiveMaximum":2e-30}""",
        "0.0000000000000000000000000000015", "0|0.000000000000000000000000000001|0.000000000000000000000000000002|1e-30")]
    [InlineData("""{"type":"number","minimum":-12.5,"maximum":-12.25}""", "-12.5|-12.250|-12.3|-12.49999", "-12.2|-12.51|12.3|-12|-13|-12.2499")]
    [InlineData("""{"type":"integer","minimum":1000000000000000000000,"maximum":1000000000000000000005}""",
        "1000000000000000000000|1000000000000000000005", "1000000000000000000006|999999999999999999999|1")]
    [InlineData("""{"type":"integer","minimum":999999999999999999}""", "999999999999999999|1000000000000000000", "999999999999999998|1")]
    [InlineData("""{"type":"integer","exclusiveMinimum":1e30}""", "1000000000000000000000000000001", "1000000000000000000000000000000|5")]
    [InlineData("""{"type":"integer","minimum":1.5,"exclusiveMaximum":3}""", "2", "1|3|1.5|2.0")]
    [InlineData("""{"enum":[1e-30,{"a":1},[1],{"a":2}],"maximum":1,"properties":{"a":{"minimum":2}},"maxItems":0}""",
        """1e-30|{"a":2}""", """{"a":1}|[1]""")]
    [InlineData("""{"type":"integer","format":"int32"}""", "2147483647|-2147483648|0", "2147483648|-2147483649")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"type":"number"}]}""", "8.5|-0.25|0.001", "8|8.0|-0|0.0|80")]
    [InlineData("""{"oneOf":[{"type":"string"},{"type":["string","null"]},{"type":"boolean"}]}""", "null|true", "\"a\"")]
    [InlineData("""{"oneOf":[{"enum":[1,2,"a"]},{"enum":[2,3]},{"const":"a"}]}""", "1|3", "2|\"a\"")]
    [InlineData("""{"oneOf":[{"type":"integer","maximum":0},{"type":"integer","exclusiveMinimum":0}]}""", "-1|0|1", "null")]
    [InlineData("""{"oneOf":[{"type":"string","format":"date"},{"type":"string","format":"date-time"}]}""",
        "\"2024-01-02\"|\"2024-01-02T03:04:05Z\"", "\"2024\"")]
    [InlineData("""{"oneOf":[{"type":"string","maxLength":1},{"type":"string","minLength":3}]}""", "\"a\"|\"abc\"", "\"ab\"")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}""",
        """{"a":1}|{"b":1}""", """{}|{"a":1,"b":1}""")]
    [InlineData("""{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"v":{"type":"integer"}},"required":["kind"]},{"type":"object","properties":{"kind":{"const":"b"},"v":{"type":"string"}},"required":["kind"]}]}""",
        """{"kind":"a","v":1}|{"kind":"b","v":"1"}|{"kind":"a"}""", """{"kind":"a","v":"1"}|{"v":1}""")]
    [InlineData("""{"oneOf":[{"type":"object","properties":{"t":{"const":"a"},"v":{}}},{"type":"object","properties":{"t":{"const":"b"}}}]}""",
        """{"t":"a"}|{"t":"a","v":1}|{"t":"b"}""", """{}|{"v":1}|{"t":"b","v":1}""")]
    [InlineData("""{"oneOf":[{"$ref":"#/$defs/leaf"},{"type":"array","items":{"$ref":"#"}}],"$defs":{"leaf":{"type":"integer"}}}""",
        "1|[]|[1,[2]]", "[null]|null")]
    [InlineData("""{"oneOf":[{"type":"array","prefixItems":[{"const":1},{}],"minItems":1},{"type":"array","items":{"const":2},"minItems":1}]}""",
        "[1]|[2]|[2,2]", "[]|[1,2,3]")]
    [InlineData("""{"oneOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false},{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"],"additionalProperties":false}]}""",
        """{"a":1}|{"b":1}""", """{}|{"a":1,"b":1}""")]
    [InlineData("{}", """1|"a"|null|{"a":[1,{"b":"c"}]}|[]|[[]]|{}""", """{a:1}|[1,]|{"a"}|'a'|nul|{"a":1,}""")]
    public void Texts_fit_as_the_schema_says(string schema, string fitting, string others)
    {
        OutputGrammar grammar = Grammar(schema);
        Assert.All(fitting.Split('|'), text => Assert.True(Fits(grammar, text), $"{text} does not fit"));
        Assert.All(others.Split('|'), text => Assert.False(Fits(grammar, text), $"{text} fits"));
    }

    [Theory]
    [InlineData("3", "#: 3, expected a schema: an object, true or false")]
    [InlineData("""{"type":"text"}""", "#/type: \"text\", expected null, boolean, integer")]
    [InlineData("""{"type":[3]}""", "#/type/0: 3, expected a string")]
    [InlineData("""{"properties":{"a/b":{"not":{}}}}""", "#/properties/a~1b/not: {}, expected a schema without 'not'")]
    [InlineData("""{"uniqueItems":true}""", "#/uniqueItems: true, expected a schema without 'uniqueItems'")]
    [InlineData("""{"multipleOf":3}""", "#/multipleOf: 3, expected a schema without 'multipleOf'")]
    [InlineData("""{"items":[{}]}""", "#/items: [{}], expected a schema")]
    [InlineData("""{"minLength":-1}""", "#/minLength: -1, expected a whole number, 0 or more")]
    [InlineData("""{"required":"a"}""", "#/required: \"a\", expected an array")]
    [InlineData("""{"properties":[]}""", "#/properties: [], expected an object")]
    [InlineData("""{"$ref":"https://example.com/s"}""", "#/$ref: \"https://example.com/s\", expected a reference into this schema")]
    [InlineData("""{"$ref":"#/$defs/x"}""", "#/$ref: \"#/$defs/x\", expected a place that exists")]
    [InlineData("""{"pattern":"(a)\\1"}""",
        "#/pattern: \"(a)\\\\1\", expected a regular expression without the escape '\\1' at character 5")]
    [InlineData("""{"pattern":"(?=a)b"}""", "expected a regular expression without a group that looks ahead or behind")]
    [InlineData("""{"pattern":"a(^b)"}""", "expected a regular expression without the anchor '^' inside the expression")]
    [InlineData("""{"pattern":"("}""", "without '(' without ')'")]
    [InlineData("""{"pattern":"[a"}""", "without '[' without ']'")]
    [InlineData("""{"pattern":"*"}""", "without '*' with nothing to repeat")]
    [InlineData("""{"type":"string","minLength":3,"maxLength":2}""", "#/minLength: 3 beside 2 at #/maxLength: no value satisfies this")]
    [InlineData("""{"type":"integer","minimum":3,"maximum":2}""",
        "#/minimum: 3 beside 2 at #/maximum: no value satisfies this, expected bounds with an integer between them")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer","minimum":3,"maximum":2},"minItems":1}},"required":["a"]}""",
        "#/properties/a/items/minimum: 3 beside 2 at #/properties/a/items/maximum")]
    [InlineData("""{"allOf":[{"type":"string"},{"type":"null"}]}""", "#/allOf/0/type: \"string\" beside \"null\" at #/allOf/1/type")]
    [InlineData("""{"minItems":3,"prefixItems":[{}],"items":false}""", "#/minItems: 3 beside")]
    [InlineData("""{"properties":{"a":false},"required":["a"]}""", "#/properties/a: false: no value satisfies this")]
    [InlineData("""{"pattern":"^a$","minLength":2}""", "#/minLength: 2 beside \"^a$\" at #/pattern: no value satisfies this")]
    [InlineData("""{"oneOf":[{"type":"string","format":"uri-reference"},{"type":"string","pattern":"^[ab]{2}$"}]}""", // ab is one, too
        "#/oneOf: options 1 and 0 may have values in common")]
    [InlineData("""{"oneOf":[{"type":"string","pattern":"a"},{"type":"string","pattern":"b"}]}""",
        "#/oneOf: options 0 and 1 may have values in common, expected options that exclude each other")]
    [InlineData("""{"properties":{"x":{"oneOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"a":{}}}]}}}""",
        "#/properties/x/oneOf: options 0 and 1 may have values in common")]
    [InlineData("""{"minimum":"3"}""", "#/minimum: \"3\", expected a number")]
    [InlineData("""{"minimum":1e999}""", "#/minimum: 1e999, expected a number of at most 400 digits")]
    [InlineData("""{"enum":[]}""", "#/enum: []: no value satisfies this")]
    [InlineData("""{"anyOf":[]}""", "#/anyOf: []: no value satisfies this")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""",
        "#: every value nests without end: no value satisfies this")]
    [InlineData("""{"const":"\ud83d"}""", "#/const: a text with half a surrogate pair, expected Unicode")]
    [InlineData("""{"properties":{"\ude00":{}}}""", "a text with half a surrogate pair, expected Unicode")]
    [InlineData("""{"const":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}""", "expected a value of at most 16 levels")]
    [InlineData("""{"type":"string","format":"colour"}""", "#/format: \"colour\", expected a format that strings can be held to")]
    [InlineData("""{"minProperties":2}""", "#/minProperties: 2, expected at most the number of required properties, 0")]
    public void What_cannot_be_held_to_is_refused_with_its_place(string schema, string message)
    {
        var refused = Assert.Throws<JsonSchemaException>(() => Grammar(schema));
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }
}
