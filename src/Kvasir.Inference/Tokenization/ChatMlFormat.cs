using System.Collections.Immutable;

namespace Kvasir.Inference.Tokenization;

/// <summary><c>&lt;|im_start|>{role}⏎{content}&lt;|im_end|>⏎</c></summary>
sealed class ChatMlFormat : ChatFormat
{
    public const string Start = "<|im_start|>";

    readonly int _start;
    readonly int[] _endOfTurn;

    public ChatMlFormat(Tokenizer tokenizer) : base(tokenizer)
    {
        _start = Frame(Start);
        _endOfTurn = [Frame("<|im_end|>"), .. Text("\n")];
        Opening = tokenizer.Opening;
    }

    public override string Name => "ChatML";

    public override ImmutableArray<int> Opening { get; }

    public override int[] EncodeEndOfTurn() => [.. _endOfTurn];

    /// <summary>Role and content are one stretch of text, because line feeds at the content's start join the one after the role.</summary>
    private protected override int[] Begin(string role, string content) => [_start, .. Text($"{role}\n{content}")];
}
