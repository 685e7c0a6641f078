using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Scheduling;

/// <summary>Follows where in its thoughts a completion is, token by token, and says which tokens have to come to end them.</summary>
sealed class ThoughtSpan
{
    readonly ThoughtOptions _options;
    readonly Tokenizer _tokenizer;
    readonly bool _framesAnswer;
    readonly Queue<int> _forced = new();
    string _seen = ""; // of which a marker may be a part
    int _within, _begun; // tokens behind the opening marker, and those that may be it
    bool _isBefore, _isCut;

    /// <param name="options">What they are like.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="isHeld">Whether the answer is held to a grammar.</param>
    public ThoughtSpan(ThoughtOptions options, Tokenizer tokenizer, bool isHeld)
    {
        (_options, _tokenizer, _framesAnswer) = (options, tokenizer, isHeld && options.Frame.Length > 0);
        (_isBefore, IsInside) = (!options.AreOpen, options.AreOpen);
        if (_isBefore && _framesAnswer)
            Force(options.Begin); // only behind thoughts is it certain where an answer in a frame begins
        else if (_isBefore && tokenizer.EncodeTemplate(options.Begin) is [var opener])
            Opener = opener;
        CutAtBudget();
    }

    /// <summary>Whether the next token belongs to them.</summary>
    public bool IsInside { get; private set; }

    /// <summary>The token that may begin them now; null when none does.</summary>
    public int? Opener { get; private set; }

    /// <summary>The token that has to come; null for any.</summary>
    public int? Forced => _forced.TryPeek(out int token) ? token : null;

    /// <summary>Whether the answer has begun, or begins with the next token.</summary>
    public bool IsOver => !IsInside && _forced.Count == 0;

    /// <summary>Tokens that they took so far, markers included.</summary>
    public int Tokens { get; private set; }

    /// <summary>Whether a text like this is of them alone: it came while they lasted.</summary>
    public bool Take(int token, string text)
    {
        bool wasInside = IsInside;
        if (_forced.TryPeek(out int forced) && forced == token)
            _forced.Dequeue();
        if (!_isBefore && !IsInside)
            return false;
        _seen += text;
        _begun++;
        if (_isBefore)
            ReadBeginning();
        if (IsInside)
            ReadEnd();
        bool isThought = wasInside || IsInside;
        Tokens += !isThought ? 0 : wasInside ? 1 : _begun;
        _within += wasInside ? 1 : 0;
        CutAtBudget();
        return isThought;
    }

    void ReadBeginning()
    {
        string begun = _seen.TrimStart();
        if (begun.StartsWith(_options.Begin, StringComparison.Ordinal))
            (_isBefore, IsInside, _seen) = (false, true, begun[_options.Begin.Length..]);
        else
            _isBefore = _options.Begin.StartsWith(begun, StringComparison.Ordinal);
        Opener = _isBefore && begun.Length == 0 ? Opener : null;
    }

    void ReadEnd()
    {
        if (_seen.Contains(_options.End, StringComparison.Ordinal))
        {
            IsInside = false;
            if (_framesAnswer && !_isCut)
                Force(_options.Frame);
        }
        else if (_seen.Length >= _options.End.Length)
            _seen = _seen[^(_options.End.Length - 1)..];
    }

    void CutAtBudget()
    {
        if (!IsInside || _isCut || _options.Budget is not { } budget || _within < budget)
            return;
        _isCut = true;
        Force(_options.End + _options.Frame);
    }

    void Force(string text)
    {
        foreach (int token in _tokenizer.EncodeTemplate(text))
            _forced.Enqueue(token);
    }
}
