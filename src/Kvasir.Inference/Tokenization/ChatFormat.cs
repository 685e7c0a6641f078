using System.Collections.Immutable;
using Kvasir.Formats;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// Writes conversations as tokens, turn by turn: a turn's tokens do not depend on its neighbours, so a conversation only ever grows at its
/// end and what is cached of it stays valid. Frames are written as ids and everything else as user text, so no content can forge a frame.
/// </summary>
public abstract class ChatFormat
{
    const string Assistant = "assistant";

    /// <summary>What a template is told by, and the format it means.</summary>
    static readonly (string Marker, Func<Tokenizer, ChatFormat> Make)[] s_formats =
    [
        (ChatMlFormat.Start, tokenizer => new ChatMlFormat(tokenizer)),
        (Llama3Format.StartHeader, tokenizer => new Llama3Format(tokenizer)),
    ];

    readonly Tokenizer _tokenizer;

    private protected ChatFormat(Tokenizer tokenizer) => _tokenizer = tokenizer;

    /// <summary>The name that users see.</summary>
    public abstract string Name { get; }

    /// <summary>What goes before the first turn.</summary>
    public abstract ImmutableArray<int> Opening { get; }

    /// <summary>The format that the model's own template means.</summary>
    /// <exception cref="ChatFormatException">There is no template, or none that is known.</exception>
    /// <exception cref="ModelFormatException">The template needs tokens that the vocabulary lacks.</exception>
    public static ChatFormat From(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string template = tokenizer.Vocabulary.ChatTemplate ?? "";
        foreach (var (marker, make) in s_formats)
            if (template.Contains(marker, StringComparison.Ordinal))
                return make(tokenizer);
        throw new ChatFormatException(Unsupported(tokenizer.Vocabulary.Source, template));
    }

    /// <summary>A conversation so far: <see cref="Opening"/> and all turns.</summary>
    public int[] Encode(IEnumerable<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return [.. Opening, .. messages.SelectMany(EncodeTurn)];
    }

    /// <summary>A conversation so far and the start of the answer that the model is to give.</summary>
    public int[] EncodePrompt(IEnumerable<ChatMessage> messages) => [.. Encode(messages), .. EncodeAssistantPrompt()];

    /// <summary>A whole turn.</summary>
    public int[] EncodeTurn(ChatMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return [.. Begin(message.Role, message.Content), .. EncodeEndOfTurn()];
    }

    /// <summary>The start of the model's turn, up to where its text begins.</summary>
    public int[] EncodeAssistantPrompt() => Begin(Assistant, "");

    /// <summary>What ends a turn, to be appended to a generated answer without the token that ended it.</summary>
    public abstract int[] EncodeEndOfTurn();

    private protected abstract int[] Begin(string role, string content);

    private protected int[] Text(string text) => _tokenizer.Encode(text);

    private protected int Frame(string text) => _tokenizer.Find(text)
        ?? throw _tokenizer.Vocabulary.Invalid("tokens", $"no token {text}", $"one, because the chat template is {Name}");

    static string Unsupported(string source, string template)
    {
        string seen = template.Length == 0 ? "no chat template" : $"a chat template that begins {Printable.Quote(template)}";
        return $"{Printable.Line(source, limit: 4096)}: tokenizer.chat_template: {seen}, expected ChatML ({ChatMlFormat.Start}) "
            + $"or Llama 3 ({Llama3Format.StartHeader}); --raw sends the prompt to the model as it is";
    }
}
