namespace Kvasir.Inference.Chat.Answers;

/// <summary>
/// Divides an answer into what the model thinks first and what it says then. White space around thoughts is none of theirs, nor of what
/// comes behind them. What stands around the answer in some families is no text either.
/// </summary>
sealed class ThoughtFilter
{
    enum Place { Before, Opening, Inside, Closing, Framing, Behind }

    readonly ThoughtFormat _format;
    string _held = "";
    Place _place;
    string _answerEnd = ""; // that is still to come

    public ThoughtFilter(ThoughtFormat format, ChatPrompt prompt) =>
        (_format, _place) = (format, prompt.OpensThoughts ? Place.Opening : prompt.Continues.Length > 0 ? Place.Behind : Place.Before);

    public (string Thought, string Text) Append(string text)
    {
        _held += text;
        string thought = "";
        if (_place == Place.Before)
            FindBeginning();
        if (_place == Place.Opening)
            TrimStart(Place.Inside);
        if (_place == Place.Inside)
            thought = TakeThought();
        if (_place == Place.Closing)
            TrimStart(Place.Framing);
        if (_place == Place.Framing)
            FindAnswer();
        return (thought, _place == Place.Behind ? TakeAnswer() : "");
    }

    public (string Thought, string Text) Flush(bool isCut)
    {
        if (_place is Place.Opening or Place.Inside)
            return (Take(_held.Length - (isCut ? Marker.BeginningAtEnd(_held, _format.End) : 0)).TrimEnd(), "");
        if (_place == Place.Before && isCut && Marker.BeginningAtEnd(_held, _format.Begin) > 0)
            return ("", "");
        if (isCut && _place == Place.Framing)
            return ("", "");
        int marker = isCut && _answerEnd.Length > 0 ? Marker.BeginningAtEnd(_held, _answerEnd) : 0;
        return ("", _place == Place.Closing ? "" : Take(_held.Length - marker));
    }

    void FindBeginning()
    {
        string begun = _held.TrimStart();
        if (begun.StartsWith(_format.Begin, StringComparison.Ordinal))
            (_place, _held) = (Place.Opening, begun[_format.Begin.Length..]);
        else if (!_format.Begin.StartsWith(begun, StringComparison.Ordinal))
            _place = Place.Behind;
    }

    void FindAnswer()
    {
        if (_format.Answer is not { } frame || !_held.StartsWith(frame.Begin, StringComparison.Ordinal))
            _place = _format.Answer?.Begin.StartsWith(_held, StringComparison.Ordinal) == true ? _place : Place.Behind;
        else
            (_place, _held, _answerEnd) = (Place.Behind, _held[frame.Begin.Length..], frame.End);
    }

    string TakeAnswer()
    {
        if (_answerEnd.Length == 0)
            return Take(_held.Length);
        int end = _held.IndexOf(_answerEnd, StringComparison.Ordinal);
        if (end < 0)
            return Take(_held.Length - Marker.BeginningAtEnd(_held, _answerEnd));
        string last = Take(end);
        Take(_answerEnd.Length);
        _answerEnd = "";
        return last + Take(_held.Length);
    }

    void TrimStart(Place next)
    {
        _held = _held.TrimStart();
        _place = _held.Length > 0 ? next : _place;
    }

    string TakeThought()
    {
        if (_held.IndexOf(_format.End, StringComparison.Ordinal) is >= 0 and var end)
        {
            string last = Take(end).TrimEnd();
            Take(_format.End.Length);
            _place = Place.Closing;
            return last;
        }
        int kept = Marker.BeginningAtEnd(_held, _format.End);
        return Take(_held.AsSpan(0, _held.Length - kept).TrimEnd().Length);
    }

    string Take(int length)
    {
        string taken = _held[..length];
        _held = _held[length..];
        return taken;
    }
}
