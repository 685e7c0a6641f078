using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Tokenization;

namespace Kvasir.Tests.Hub;

/// <summary>
/// <c>tokenizer.json</c> and the files beside it: the ids of the GGUF file of the same vocabulary, or a line that says what is not
/// computed.
/// </summary>
public sealed class TokenizerJsonTests : IDisposable
{
    const string Separator = "\n__ggml_vocab_test__\n";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("gpt-2")]
    [InlineData("llama-spm")]
    public void Vectors_of_llama_cpp_have_the_same_ids(string name)
    {
        using GgufFile gguf = GgufFile.Open(Checkout.Shared($"tokenizers/ggml-vocab-{name}.gguf"));
        Write("tokenizer.json", HubTokenizerJson.Of(gguf));
        string[] texts = File.ReadAllText(Checkout.Shared($"tokenizers/ggml-vocab-{name}.gguf.inp")).Split(Separator);
        string[] expected = File.ReadAllLines(Checkout.Shared($"tokenizers/ggml-vocab-{name}.gguf.out"));
        Tokenizer tokenizer = Read(gguf.Metadata.GetStrings("tokenizer.ggml.tokens").Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Trim(), string.Join(' ', tokenizer.EncodeTemplate(texts[i])));
            Assert.Equal(texts[i], tokenizer.Decode(tokenizer.Encode(texts[i])));
        }
    }

    [Fact]
    public void A_published_file_has_the_ids_of_its_vocabulary()
    {
        string path = Checkout.Shared("tokenizers/smollm2-tokenizer.json");
        File.Copy(path, _folder["tokenizer.json"]);
        Tokenizer expected = new(HuggingFaceVocabulary.Read(path, "smollm")), tokenizer = Read(expected.VocabularySize);
        string[] texts = ["Hello  world, 2025!\n\n\tdon't", "<|im_start|>user\nhé 🙂<|im_end|>", "x" + new string(' ', 50) + "12345"];
        foreach (string text in texts)
            Assert.Equal(expected.EncodeTemplate(text), tokenizer.EncodeTemplate(text));
    }

    [Fact]
    public void Ids_may_be_sparse_merges_come_in_both_forms_and_rows_beyond_are_filled()
    {
        JsonObject json = Tiny();
        json["model"]!["merges"] = new JsonArray([.. TinyVocabulary.Merges.Select(merge => merge.Split(' '))
            .Select(parts => new JsonArray(parts[0], parts[1]))]);
        json["added_tokens"]!.AsArray().Add(Added(TinyVocabulary.Size + 5, "<tool>", special: false));
        Write("tokenizer.json", json);
        Tokenizer tokenizer = Read(TinyVocabulary.Size + 8);
        Assert.Equal(TinyVocabulary.Size + 8, tokenizer.VocabularySize);
        Assert.Equal(TokenType.Unused, tokenizer.Type(TinyVocabulary.Size + 2));
        Assert.Equal([TinyVocabulary.Tokens.IndexOf("hello"), TinyVocabulary.Size + 5, TinyVocabulary.Tokens.IndexOf("Ġthe")],
            tokenizer.Encode("hello<tool> the"));
    }

    /// <summary>As google/gemma-3-1b-it has one for pictures; what a text may become has to have a row.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public void A_special_token_beyond_the_embedding_is_none(bool special)
    {
        JsonObject json = Tiny();
        json["added_tokens"]!.AsArray().Add(Added(TinyVocabulary.Size, "<image>", special));
        Write("tokenizer.json", json);
        if (special)
            Assert.Equal(Read(TinyVocabulary.Size).Encode("<image>"), Read(TinyVocabulary.Size).EncodeTemplate("<image>"));
        else
            Assert.Contains("a row of the embedding", Assert.Throws<ModelFormatException>(() => Read(TinyVocabulary.Size)).Message,
                StringComparison.Ordinal);
    }

    /// <summary>DeepSeek's files have ends of lines as such in their expressions, others a backslash and a letter.</summary>
    [Fact]
    public void An_expression_is_known_however_its_ends_of_lines_are_spelt()
    {
        JsonObject json = Tiny();
        JsonNode pattern = json["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!;
        string escaped = (string)pattern["Regex"]!;
        Write("tokenizer.json", json);
        int[] expected = Read(TinyVocabulary.Size).Encode("hello\r\n\nthe 12");
        pattern["Regex"] = escaped.Replace(@"\r\n", "\r\n", StringComparison.Ordinal);
        Assert.NotEqual(escaped, (string)pattern["Regex"]!);
        Write("tokenizer.json", json);
        Assert.Equal(expected, Read(TinyVocabulary.Size).Encode("hello\r\n\nthe 12"));
    }

    /// <summary>Of gpt-oss: what a GGUF file's name of the steps does not say.</summary>
    [Theory, InlineData(true, 1), InlineData(false, 3)]
    public void Whole_words_go_before_merges_where_the_file_says_so(bool ignoresMerges, int tokens)
    {
        JsonObject json = Tiny();
        json["model"]!["vocab"]!["xyz"] = TinyVocabulary.Size; // nothing is merged to it
        json["model"]!["ignore_merges"] = ignoresMerges;
        Write("tokenizer.json", json);
        Assert.Equal(tokens, Read(TinyVocabulary.Size + 1).Encode("xyz").Length);
    }

    [Fact]
    public void Special_tokens_swallow_what_follows_where_the_file_says_so()
    {
        JsonObject json = Tiny();
        json["added_tokens"]!.AsArray().Single(token => (int)token!["id"]! == TinyVocabulary.TurnEnd)!["rstrip"] = true;
        Write("tokenizer.json", json);
        Tokenizer tokenizer = Read(TinyVocabulary.Size);
        Assert.Equal(tokenizer.EncodeTemplate("<|im_end|>hello"), tokenizer.EncodeTemplate("<|im_end|> \nhello"));
        Assert.NotEqual(tokenizer.EncodeTemplate("<|im_start|>hello"), tokenizer.EncodeTemplate("<|im_start|> hello"));
    }

    /// <summary>The cases of the tokenizers library's rules, which say what a token takes and where it stands.</summary>
    [Theory]
    [InlineData("lstrip", "hello \u00A0<t>the", "hello|<t>|the")]
    [InlineData("lstrip", "<t> <t> the", "<t>|<t>| the")] // what is before the second is taken already, or by it
    [InlineData("rstrip", "hello <t> \u2003the", "hello| |<t>|the")]
    [InlineData("single_word", "<t>the", "<|t|>|the")]
    [InlineData("single_word", "the<t>", "the|<|t|>")]
    [InlineData("single_word", "é<t>", "é|<|t|>")]
    [InlineData("single_word", "hello <t>, the", "hello| |<t>|,| the")]
    [InlineData("single_word", "<t>", "<t>")]
    [InlineData("single_word", "<t><t>", "<t>|<t>")]
    public void An_added_token_takes_and_stands_as_the_file_says(string rule, string text, string expected)
    {
        JsonObject json = Tiny();
        JsonObject token = Added(TinyVocabulary.Size, "<t>", special: true);
        token[rule] = true;
        json["added_tokens"]!.AsArray().Add(token);
        Write("tokenizer.json", json);
        Tokenizer tokenizer = Read(TinyVocabulary.Size + 1);
        int[] ids = [.. expected.Split('|').SelectMany(part => part == "<t>" ? [TinyVocabulary.Size] : tokenizer.Encode(part))];
        if (!expected.Contains("<|", StringComparison.Ordinal))
            Assert.Equal(ids, tokenizer.EncodeTemplate(text));
        else
            Assert.DoesNotContain(TinyVocabulary.Size, tokenizer.EncodeTemplate(text));
        Assert.DoesNotContain(TinyVocabulary.Size, tokenizer.Encode(text)); // special: a user cannot write it
    }

    [Fact]
    public void Text_is_put_into_form_c_before_tokens_that_are_looked_for_there()
    {
        JsonObject json = Tiny();
        json["normalizer"] = JsonNode.Parse("""{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[{"type":"NFC"}]}]}""");
        (JsonObject raw, JsonObject normal) =
            (Added(TinyVocabulary.Size, "<e\u0301>", special: false), Added(TinyVocabulary.Size + 1, "[e\u0301]", special: false));
        (raw["normalized"], normal["normalized"]) = (false, true);
        json["added_tokens"]!.AsArray().Add(raw);
        json["added_tokens"]!.AsArray().Add(normal);
        Write("tokenizer.json", json);
        Tokenizer tokenizer = Read(TinyVocabulary.Size + 2);
        Assert.Equal(tokenizer.Encode("h\u00E9llo"), tokenizer.Encode("he\u0301llo"));
        Assert.Equal("h\u00E9llo", tokenizer.Decode(tokenizer.Encode("he\u0301llo")));
        Assert.Equal([TinyVocabulary.Size], tokenizer.Encode("<e\u0301>"));
        Assert.DoesNotContain(TinyVocabulary.Size, tokenizer.Encode("<\u00E9>")); // looked for in text as it comes
        Assert.Equal([TinyVocabulary.Size + 1, TinyVocabulary.Size + 1], tokenizer.Encode("[e\u0301][\u00E9]"));
    }

    /// <summary>A control token counts in what a template wrote, and not in what a user did, where positions have moved, too.</summary>
    [Fact]
    public void Nothing_that_is_normalised_becomes_a_control_token_of_a_user()
    {
        JsonObject json = Tiny();
        json["normalizer"] = JsonNode.Parse("""{"type":"NFC"}""");
        JsonObject token = Added(TinyVocabulary.Size, "[e\u0301]", special: true);
        token["normalized"] = true;
        json["added_tokens"]!.AsArray().Add(token);
        Write("tokenizer.json", json);
        Tokenizer tokenizer = Read(TinyVocabulary.Size + 1);
        int[] ids = tokenizer.Encode(new RenderedPrompt(
            [new("e\u0301e\u0301[e\u0301]", false), new("e\u0301[e\u0301]e\u0301[\u00E9]", true), new("[\u00E9]", false)]));
        Assert.Equal(2, ids.Count(id => id == TinyVocabulary.Size));
        Assert.Equal(4, tokenizer.EncodeTemplate("[\u00E9][\u00E9][\u00E9][\u00E9]").Length);
    }

    /// <summary>
    /// A normaliser that puts ▁ before text does so before such tokens are looked for, whose spelling has one, too: they stand where a
    /// space or nothing was. Metaspace comes after.
    /// </summary>
    [Fact]
    public void Spaces_that_a_normaliser_puts_are_there_when_tokens_are_looked_for()
    {
        const string Normalizer = """
            {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
            """;
        WritePieces(json =>
        {
            JsonObject token = Added(263, "[t]", special: false);
            token["normalized"] = true;
            json["added_tokens"]!.AsArray().Add(token);
            (json["normalizer"], json["pre_tokenizer"]) = (JsonNode.Parse(Normalizer), null);
        });
        Tokenizer tokenizer = Read(300);
        string[] Spelt(string text) => [.. tokenizer.EncodeTemplate(text).Select(tokenizer.Text)];
        Assert.Equal(["[t]", "x"], Spelt("[t]x"));
        Assert.Equal(["▁", "x", "[t]", "▁", "y"], Spelt("x [t] y"));
        Assert.DoesNotContain("[t]", Spelt("x[t]"));
        WritePieces(json =>
        {
            JsonObject token = Added(263, "[t]", special: false);
            token["normalized"] = true;
            json["added_tokens"]!.AsArray().Add(token);
        });
        tokenizer = Read(300);
        Assert.Equal(["▁", "x", "[t]", "▁", "y"], Spelt("x[t]y"));
        Assert.Equal(["▁", "x", "▁", "[t]", "▁", "y"], Spelt(" x [t] y"));
    }

    [Theory]
    [InlineData("always", 4, 6)]
    [InlineData("first", 4, 5)]
    [InlineData("never", 3, 4)]
    public void Pieces_begin_with_a_space_where_the_scheme_says_so(string scheme, int once, int twice)
    {
        WritePieces(json => json["pre_tokenizer"]!["prepend_scheme"] = scheme);
        Tokenizer tokenizer = Read(300);
        Assert.Equal(once, tokenizer.EncodeTemplate("xyz").Length);
        Assert.Equal(twice, tokenizer.EncodeTemplate("xy<s>z").Length);
        Assert.Equal("xyz", tokenizer.Decode(tokenizer.Encode("xyz")));
    }

    [Fact]
    public void What_no_piece_spells_is_spelt_in_bytes()
    {
        WritePieces(_ => { });
        Tokenizer tokenizer = Read(300);
        Assert.Equal("é x", tokenizer.Decode(tokenizer.Encode("é x")));
        Assert.Equal((1, 2, 0), (tokenizer.Bos, tokenizer.Eos, tokenizer.Unknown));
        Assert.Equal([1], tokenizer.Opening);
    }

    public static TheoryData<string, string, string> Refused => new()
    {
        { "model.type", "\"Unigram\"", "model.type: 'Unigram'" },
        { "model.type", "\"WordPiece\"", "model.type: 'WordPiece'" },
        { "model", "null", "model: the field is missing" },
        { "model.vocab", "[]", "model.vocab: no object" },
        { "model.vocab.!", "100000", "the id of '!'" },
        { "model.vocab.!", "-1", "the id of '!'" },
        { "model.vocab.!", "34", "of id 34" },
        { "model.merges", """["q zz"]""", "'zz' to be in the vocabulary" },
        { "model.merges", """["ab"]""", "model.merges: \"ab\"" },
        { "model.merges", """[["a"]]""", "model.merges: [\"a\"]" },
        { "model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix: '</w>'" },
        { "normalizer", """{"type":"Lowercase"}""", "normalizer: {\"type\":\"Lowercase\"}" },
        { "pre_tokenizer", """
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Isolated"},
             {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """, "pre_tokenizer: (a+)+$" },
        { "pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":true}""", "add_prefix_space: true" },
        { "pre_tokenizer", """{"type":"Whitespace"}""", "model.byte_fallback" },
        { "post_processor", """{"type":"BertProcessing"}""", "post_processor: {\"type\":\"BertProcessing\"}" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void What_is_not_computed_is_refused_by_name(string field, string value, string expected)
    {
        JsonObject json = Tiny();
        JsonNode at = json;
        string[] path = field.Split('.', 3);
        foreach (string name in path[..^1])
            at = at[name]!;
        at[path[^1]] = JsonNode.Parse(value);
        Write("tokenizer.json", json);
        string message = Assert.Throws<ModelFormatException>(() => Read(TinyVocabulary.Size)).Message;
        Assert.StartsWith(_folder["tokenizer.json"] + ": ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Without_a_file_the_one_that_is_there_is_named()
    {
        File.WriteAllText(_folder["tokenizer.model"], "x");
        Assert.Contains("tokenizer.model alone", Assert.Throws<ModelFormatException>(() => Read(10)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Templates_are_found_where_they_are_and_where_they_have_been()
    {
        Write("tokenizer.json", Tiny());
        Write("tokenizer_config.json", new JsonObject { ["chat_template"] = "config" });
        Assert.Equal("config", Read(TinyVocabulary.Size).Vocabulary.ChatTemplate);
        Write("tokenizer_config.json", new JsonObject
        {
            ["chat_template"] = new JsonArray(Named("default", "one"), Named("tool_use", "two"), Named("rag", "three")),
            ["bos_token"] = new JsonObject { ["content"] = "<|endoftext|>" }, ["eos_token"] = "<|im_end|>", ["add_bos_token"] = true,
        });
        Tokenizer tokenizer = Read(TinyVocabulary.Size);
        Assert.Equal(("one", "two"), (tokenizer.Vocabulary.ChatTemplate, tokenizer.Vocabulary.ToolTemplate));
        Assert.Equal((TinyVocabulary.EndOfText, TinyVocabulary.TurnEnd), (tokenizer.Bos, tokenizer.Eos));
        Assert.Equal([TinyVocabulary.EndOfText], tokenizer.Opening);
        Write("chat_template.json", new JsonObject { ["chat_template"] = "json" });
        Assert.Equal("json", Read(TinyVocabulary.Size).Vocabulary.ChatTemplate);
        File.WriteAllText(_folder["chat_template.jinja"], "jinja");
        Assert.Equal("jinja", Read(TinyVocabulary.Size).Vocabulary.ChatTemplate);
    }

    static JsonObject Named(string name, string template) => new() { ["name"] = name, ["template"] = template };

    static JsonObject Tiny()
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = GgufFile.Open(TinyModel.Qwen2.WriteTo(folder["tiny.gguf"]));
        return HubTokenizerJson.Of(file);
    }

    static JsonObject Added(int id, string content, bool special) => new() { ["id"] = id, ["content"] = content, ["special"] = special };

    /// <summary>Three control tokens, the bytes, and five letters.</summary>
    void WritePieces(Action<JsonObject> change)
    {
        string[] tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"), "▁", "x", "y", "z"];
        var json = new JsonObject
        {
            ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, 3).Select(id => Added(id, tokens[id], special: true))]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "Metaspace", ["split"] = false },
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = JsonNode.Parse("""[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}]"""),
            },
            ["model"] = new JsonObject
            {
                ["unk_token"] = "<unk>", ["byte_fallback"] = true, ["merges"] = new JsonArray(),
                ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            },
        };
        change(json);
        Write("tokenizer.json", json);
    }

    void Write(string name, JsonObject json) => File.WriteAllText(_folder[name], json.ToJsonString());

    Tokenizer Read(int rows)
    {
        var entries = new GgufEntries();
        string folder = Path.GetDirectoryName(_folder["x"])!;
        new HubTokenizer(folder, rows).AddTo(entries, [], null);
        using var file = new OnlyMetadata(entries.Metadata(folder));
        return Tokenizer.From(file);
    }

    sealed class OnlyMetadata(GgufMetadata metadata) : IModelFile
    {
        public string Path => "folder";
        public GgufMetadata Metadata => metadata;
        public long Length => 0;
        public IReadOnlyList<StoredTensor> Tensors => [];
        public bool TryGetTensor(string name, [NotNullWhen(true)] out StoredTensor? tensor) => (tensor = null) is not null;
        public ReadOnlySpan<byte> Row(StoredTensor tensor, long row) => [];
        public void Read(StoredTensor tensor, long firstRow, Span<byte> rows) { }
        public void Dispose() { }
    }
}
