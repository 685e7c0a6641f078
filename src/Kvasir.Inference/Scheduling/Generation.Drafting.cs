using Kvasir.Inference.Drafting;

namespace Kvasir.Inference.Scheduling;

/// <summary>How a completion's next tokens are guessed, and which guesses are right.</summary>
sealed partial class Generation
{
    readonly Drafter? _drafter;

    /// <summary>Whether drafts are taken wherever something proposes them, or where they pay.</summary>
    public bool DraftsAnyway { get; private init; }

    /// <summary>Rows of the next pass that its draft is to have.</summary>
    public int DraftRows { get; set; }

    /// <summary>The draft's tokens that are to be in the next pass.</summary>
    public ReadOnlySpan<int> Draft => _drafter is null ? [] : _drafter.Draft[..DraftRows];

    /// <summary>Tokens that were guessed.</summary>
    public int Guesses => _drafter?.Draft.Length ?? 0;

    /// <summary>Guesses the next tokens, at most so many, and no more than may come; returns how many.</summary>
    public int Propose(int most)
    {
        DraftRows = 0;
        if (_drafter is null || Sequence != _own)
            return 0;
        int left = Math.Min(_engine.Context - _own.Tokens.Length, (Options.MaxTokens ?? int.MaxValue) - _tokens.Count);
        _drafter.Propose(_own.Tokens, Math.Min(most, left - 1)); // the row before the draft is good for one, too
        return Guesses;
    }

    /// <summary>How likely the first so many of the guessed tokens are all right.</summary>
    public double ChanceOf(int tokens) => _drafter!.Chance(tokens);

    Drafter? NewDrafter(SpeculativeMode mode) => mode == SpeculativeMode.Off || _engine.Recomputes || _pages is not null
        || Options.MaxTokens is 0 or 1 ? null
        : new Drafter(Options.Speculative, _own.Tokens,
            (int)Math.Min(_engine.Context, _promptTokens + (long)(Options.MaxTokens ?? _engine.Context)), _engine.Acceptance);

    /// <summary>
    /// Takes tokens as long as each is the one that was guessed and computed: those that would come one by one. Keys and values of a guess
    /// that was wrong, or came after one, belong to nobody, and lie where the next tokens' will.
    /// </summary>
    FinishReason? Choose(ForwardPass pass, int row, int drafted)
    {
        FinishReason? reason;
        for (int right = 0; ; right++)
        {
            int length = _own.Tokens.Length;
            if (Options.WantsHidden)
                _hidden = LogitsException.Checked(pass.Hidden(row + right), "a hidden state", _engine.Config.Name).ToArray();
            reason = Options.MaxTokens == 0 ? FinishReason.Length : Choose(pass.Logits(row + right));
            bool isRight = _own.Tokens.Length > length && _drafter?.Tell(right, _own.Tokens[^1]) == true && right < drafted;
            if (!isRight || reason is not null)
            {
                _drafter?.Count(drafted, right + (isRight ? 1 : 0));
                break;
            }
            _own.Blocks.Fill(_own.Tail, _own.Tail.Length - 1, _own.Tail.Length);
            _own.Computed++;
        }
        if (drafted > 0)
            _own.Blocks.GiveBackRoom(_own.Blocks.Length);
        return reason;
    }
}
