using System.Runtime.InteropServices;

namespace Kvasir.Inference.Drafting;

/// <summary>
/// Guesses the next tokens of one sequence: what followed where its end stood earlier in it, or in a given prediction. Whether they are
/// right, only the sequence's own sampler says, row by row; so they cost time at worst.
/// </summary>
sealed class Drafter
{
    const int Border = -1; // no token: nothing matches over it
    const int Trust = 8; // a prediction's beginning is believed like a match of so many tokens

    readonly PromptLookup _lookup = new();
    readonly Acceptance _acceptance;
    readonly List<int> _draft = [];
    readonly List<double> _chances = []; // that all up to there are right
    readonly int _prediction; // tokens of it, at the start of the text
    readonly int _most;
    int _read, _common; // tokens of the sequence that are in the text; in common at the place of the draft
    int _drafted, _accepted, _ofPrediction, _acceptedOfPrediction;
    int _inPrediction; // the place there that comes next as long as the completion is the prediction; -1 when it is not
    bool _isOfPrediction;

    /// <param name="options">How many at once, and the prediction.</param>
    /// <param name="tokens">The sequence so far.</param>
    /// <param name="longest">Tokens that the sequence may come to have.</param>
    /// <param name="acceptance">What other sequences have seen.</param>
    public Drafter(SpeculativeOptions options, ReadOnlySpan<int> tokens, int longest, Acceptance acceptance)
    {
        (_most, _prediction, _acceptance) = (options.MostTokens, options.Prediction.Count, new Acceptance(acceptance));
        _lookup.Reserve(_prediction + 1 + longest); // grown once: a step allocates nothing
        _draft.EnsureCapacity(_most);
        _chances.EnsureCapacity(_most);
        if (_prediction > 0)
            _lookup.Append([.. options.Prediction, Border]);
        _inPrediction = _prediction > 0 ? 0 : -1;
        Read(tokens);
    }

    /// <summary>What came of the drafts so far.</summary>
    public DraftUse Use => new(_drafted, _accepted, _ofPrediction, _acceptedOfPrediction);

    /// <summary>The tokens that may come next.</summary>
    public ReadOnlySpan<int> Draft => CollectionsMarshal.AsSpan(_draft);

    /// <summary>How likely the first so many of the draft are all right, at least one.</summary>
    public double Chance(int tokens) => _chances[tokens - 1];

    /// <summary>Guesses what follows a sequence, at most so many tokens.</summary>
    public void Propose(ReadOnlySpan<int> tokens, int most)
    {
        Read(tokens);
        _draft.Clear();
        _chances.Clear();
        (int place, _common) = _lookup.Find();
        if (_inPrediction >= 0 && _common < Math.Max(PromptLookup.Least, _inPrediction))
            (place, _common) = (_inPrediction, Math.Max(Trust, _inPrediction));
        _isOfPrediction = place < _prediction;
        ReadOnlySpan<int> text = _lookup.Text;
        for (most = Math.Min(most, _most); _common > 0 && _draft.Count < most; place++)
        {
            int token = place < text.Length ? text[place] : _draft[place - text.Length]; // what repeats itself goes on doing so
            if (token == Border)
                return;
            _chances.Add((_draft.Count == 0 ? 1 : _chances[^1]) * _acceptance.Chance(_common + _draft.Count));
            _draft.Add(token);
        }
    }

    /// <summary>
    /// The token after the first <paramref name="agreed"/> of the draft, which all came, was chosen; returns whether it is the draft's.
    /// </summary>
    public bool Tell(int agreed, int token)
    {
        if (agreed >= _draft.Count)
            return false;
        bool isRight = _draft[agreed] == token;
        _acceptance.Tell(_common + agreed, isRight);
        return isRight;
    }

    /// <summary>So many of the draft were computed, and so many of them were right.</summary>
    public void Count(int drafted, int accepted)
    {
        (_drafted, _accepted) = (_drafted + drafted, _accepted + accepted);
        if (_isOfPrediction)
            (_ofPrediction, _acceptedOfPrediction) = (_ofPrediction + drafted, _acceptedOfPrediction + accepted);
    }

    void Read(ReadOnlySpan<int> tokens)
    {
        bool isCompletion = _read > 0;
        ReadOnlySpan<int> more = tokens[_read..];
        _lookup.Append(more);
        _read = tokens.Length;
        for (int i = 0; isCompletion && _inPrediction >= 0 && i < more.Length; i++)
            _inPrediction = _inPrediction < _prediction && _lookup.Text[_inPrediction] == more[i] ? _inPrediction + 1 : -1;
        if (_inPrediction >= _prediction)
            _inPrediction = -1;
    }
}
