namespace Kvasir.Inference.Chat.Answers;

/// <summary>Follows a JSON object or list to its end, piece by piece.</summary>
struct JsonExtent
{
    int _depth;
    bool _isText, _isEscaped;

    /// <summary>Whether its last bracket has come.</summary>
    public bool IsOver { get; private set; }

    /// <summary>How much of a text belongs to it.</summary>
    public int Read(ReadOnlySpan<char> text)
    {
        int i = 0;
        for (; i < text.Length && !IsOver; i++)
            Take(text[i]);
        return i;
    }

    void Take(char next)
    {
        if (_isEscaped)
            _isEscaped = false;
        else if (_isText)
            (_isEscaped, _isText) = (next == '\\', next != '"');
        else if (next == '"')
            _isText = true;
        else if (next is '{' or '[')
            _depth++;
        else if (next is '}' or ']')
            IsOver = --_depth <= 0;
    }
}
