using System.Collections.Immutable;
using System.Text;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Templates;

namespace Kvasir.Inference.Tokenization;

/// <summary>Whether control tokens are spelt out in decoded text.</summary>
public enum ControlTokens
{
    /// <summary>They are structure, not text.</summary>
    Hidden,

    /// <summary>They are written as the vocabulary spells them.</summary>
    Shown,
}

/// <summary>Text to tokens and back, with a model's own vocabulary. Safe for use from many threads.</summary>
public sealed class Tokenizer
{
    /// <summary>Most UTF-16 units that become one when they are put together: of four, each of which stands for a pair.</summary>
    const int MostPutTogether = 8;

    readonly TokenTable _table;
    readonly TextEncoder _encoder;
    readonly SplitEncoder _ofUsers, _ofTemplates;
    readonly TokenBytes _bytes;
    readonly int _mostPerToken;

    /// <summary>Checks the vocabulary and prepares it.</summary>
    /// <exception cref="ModelFormatException">The vocabulary contradicts itself or is of a kind that is not supported.</exception>
    public Tokenizer(Vocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        Vocabulary = vocabulary;
        _table = new TokenTable(vocabulary);
        (_encoder, bool addsBos) = MakeEncoder(vocabulary, _table);
        AddedTokenRules rules = new(vocabulary, _table);
        _ofUsers = new SplitEncoder(vocabulary, _table, rules, _encoder, TokenType.UserDefined);
        _ofTemplates = new SplitEncoder(
            vocabulary, _table, rules, _encoder, TokenType.UserDefined, TokenType.Control, TokenType.Unknown);
        _bytes = new TokenBytes(vocabulary, _table, _encoder);
        LongestToken = Enumerable.Range(0, _table.Count).Max(token => _table.Text(token).Length);
        _mostPerToken = rules.TakesSpace ? 0 : vocabulary.IsFormC ? LongestToken * MostPutTogether : LongestToken;
        FillIn = FillInTokens.Of(vocabulary, _table);
        Opening = Added("add_bos_token", vocabulary.AddBos, addsBos, Bos);
        Closing = Added("add_eos_token", vocabulary.AddEos, false, Eos);
    }

    /// <summary>What the file says.</summary>
    public Vocabulary Vocabulary { get; }

    /// <summary>The number of tokens.</summary>
    public int VocabularySize => _table.Count;

    /// <summary>The token that begins a sequence.</summary>
    public int? Bos => _table.Bos;

    /// <summary>The token that ends a sequence.</summary>
    public int? Eos => _table.Eos;

    /// <summary>The token that ends a turn, where the file names one.</summary>
    public int? Eot => _table.Eot;

    /// <summary>The token that fills up batches.</summary>
    public int? Pad => _table.Pad;

    /// <summary>The token of what the vocabulary cannot spell.</summary>
    public int? Unknown => _table.Unknown;

    /// <summary>The tokens after which generation is over.</summary>
    public IReadOnlySet<int> Ends => _table.Ends;

    /// <summary>The tokens that frame a gap to be filled in; null where the model knows none.</summary>
    public FillInTokens? FillIn { get; }

    /// <summary>What goes before the tokens of every sequence: BOS, or nothing.</summary>
    public ImmutableArray<int> Opening { get; }

    /// <summary>What goes after the tokens of every sequence that is not to be continued: EOS, or nothing.</summary>
    public ImmutableArray<int> Closing { get; }

    /// <summary>Characters of the longest token, as the vocabulary spells it: no token stands for more of a text.</summary>
    public int LongestToken { get; }

    /// <summary>Whether the model's tokenizer puts a space before text, which decoding takes away again.</summary>
    internal bool AddsSpacePrefix => _encoder is SentencePieceEncoder && Vocabulary.AddSpacePrefix;

    /// <summary>Whether that is so after special tokens, too.</summary>
    internal bool PrefixesEverywhere => !Vocabulary.PrefixesFirstOnly;

    /// <summary>The tokenizer of a model file.</summary>
    /// <exception cref="ModelFormatException">
    /// The vocabulary contradicts itself, is of a kind that is not supported, or has a key that may change results and is not known.
    /// </exception>
    public static Tokenizer From(IModelFile file)
    {
        Tokenizer tokenizer = new(Vocabulary.From(file));
        TokenizerKeys.Check(file.Metadata);
        return tokenizer;
    }

    /// <summary>The tokens of text from a user: what looks like a control token is text. <see cref="Opening"/> is not included.</summary>
    public int[] Encode(string text) => Encode(text, _ofUsers, null, int.MaxValue);

    /// <summary>The tokens of text from the model's maker, in which control tokens count. <see cref="Opening"/> is not included.</summary>
    public int[] EncodeTemplate(string text) => Encode(text, _ofTemplates, null, int.MaxValue);

    /// <summary>The tokens of a prompt that is sent as it is: <see cref="Opening"/> and its text, in which control tokens count.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">So many are wanted: of a text that certainly has more, only the first come, and more than so many.</param>
    public int[] EncodePrompt(string text, int most = int.MaxValue) => [.. Opening, .. Encode(text, _ofTemplates, null, most)];

    /// <summary>
    /// The tokens of what a chat template wrote: control tokens count only where they lie wholly in the template's own text. What stands
    /// between special tokens is one stretch all the same, so merges cross the border of template and input as they did in training.
    /// <see cref="Opening"/> is not included; many templates write BOS themselves.
    /// </summary>
    /// <param name="prompt">What the template wrote.</param>
    /// <param name="most">So many are wanted: of a text that certainly has more, only the first come, and more than so many.</param>
    public int[] Encode(RenderedPrompt prompt, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Encode(prompt.Text, _ofTemplates, match =>
            _table.Type(match.Token) == TokenType.UserDefined || prompt.IsTemplate(match.Start, match.Length), most);
    }

    /// <summary>The token that the vocabulary spells like this, if there is one.</summary>
    public int? Find(string text) => _table.TryFind(text, out int token) ? token : null;

    /// <summary>The vocabulary's own spelling of a token.</summary>
    public string Text(int token) => _table.Text(Checked(token));

    /// <summary>What a token is for.</summary>
    public TokenType Type(int token) => _table.Type(Checked(token));

    /// <summary>The bytes of text that a token stands for, possibly part of a character; none for control tokens.</summary>
    public ReadOnlySpan<byte> Bytes(int token) => _bytes[Checked(token)];

    /// <summary>The text of tokens from the start of a sequence. Bytes that are no UTF-8 become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> tokens, ControlTokens controlTokens = ControlTokens.Hidden)
    {
        var detokenizer = new Detokenizer(this, controlTokens);
        var text = new StringBuilder();
        foreach (int token in tokens)
            text.Append(detokenizer.Append(token));
        return text.Append(detokenizer.Flush()).ToString();
    }

    int[] Encode(string text, SplitEncoder encoder, Predicate<Stretch>? accepts, int most)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> tokens = [];
        encoder.Encode(Beginning(text, most), accepts, tokens);
        return [.. tokens];
    }

    /// <summary>As much of a text as has more than so many tokens for certain, however it is cut into them.</summary>
    string Beginning(string text, int most) => _mostPerToken > 0 && text.Length / _mostPerToken > (long)most + 1
        ? text[..((most + 2) * _mostPerToken)]
        : text;

    int Checked(int token) => (uint)token < (uint)VocabularySize
        ? token
        : throw new ArgumentOutOfRangeException(nameof(token), token, $"the vocabulary has tokens 0 to {VocabularySize - 1}");

    static (TextEncoder Encoder, bool AddsBos) MakeEncoder(Vocabulary vocabulary, TokenTable table)
    {
        if (vocabulary.Model == "llama") return (new SentencePieceEncoder(vocabulary, table), true);
        if (vocabulary.Model != "gpt2") throw vocabulary.Invalid("model", Printable.Quote(vocabulary.Model), "'gpt2' or 'llama'");
        PreTokenizer preTokenizer = PreTokenizers.Find(vocabulary.Pre)
            ?? throw vocabulary.Invalid("pre", Printable.Quote(vocabulary.Pre), $"one of {PreTokenizers.Names}");
        return (new BytePairEncoder(vocabulary, table, preTokenizer), preTokenizer.AddsBos);
    }

    ImmutableArray<int> Added(string key, bool? wanted, bool unsaid, int? token)
    {
        if (wanted == true && token is null) throw Vocabulary.Invalid(key, "true without such a token", "its id");
        return (wanted ?? unsaid) && token is { } id ? [id] : [];
    }
}
