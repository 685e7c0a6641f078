using System.Collections.Immutable;

namespace Kvasir.Inference.Tokenization;

/// <summary><c>&lt;|start_header_id|>{role}&lt;|end_header_id|>⏎⏎{content}&lt;|eot_id|></c>, the content trimmed.</summary>
sealed class Llama3Format : ChatFormat
{
    public const string StartHeader = "<|start_header_id|>";

    readonly int _startHeader;
    readonly int _endHeader;
    readonly int _endOfTurn;

    public Llama3Format(Tokenizer tokenizer) : base(tokenizer)
    {
        Opening = [Frame("<|begin_of_text|>")];
        _startHeader = Frame(StartHeader);
        _endHeader = Frame("<|end_header_id|>");
        _endOfTurn = Frame("<|eot_id|>");
    }

    public override string Name => "Llama 3";

    public override ImmutableArray<int> Opening { get; }

    public override int[] EncodeEndOfTurn() => [_endOfTurn];

    private protected override int[] Begin(string role, string content) =>
        [_startHeader, .. Text(role), _endHeader, .. Text($"\n\n{content.Trim()}")];
}
