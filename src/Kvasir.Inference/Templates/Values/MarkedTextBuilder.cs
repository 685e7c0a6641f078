using System.Text;

namespace Kvasir.Inference.Templates.Values;

/// <summary>Grows marked text, up to a bound.</summary>
sealed class MarkedTextBuilder
{
    readonly StringBuilder _text = new();
    readonly List<MarkedText.Run> _runs = [];

    public int Length => _text.Length;

    public MarkedTextBuilder Append(MarkedText text)
    {
        int start = 0;
        foreach (MarkedText.Run run in text.Runs)
        {
            Append(text.Text.AsSpan(start, run.End - start), run.IsInput);
            start = run.End;
        }
        return this;
    }

    public MarkedTextBuilder Append(ReadOnlySpan<char> text, bool isInput)
    {
        if (text.IsEmpty) return this;
        if (text.Length > Limits.Text - _text.Length)
            throw new TemplateException($"a text of more than {Limits.Text} characters, expected a shorter one");
        _text.Append(text);
        var run = new MarkedText.Run(_text.Length, isInput);
        if (_runs.Count > 0 && _runs[^1].IsInput == isInput) _runs[^1] = run;
        else _runs.Add(run);
        return this;
    }

    public MarkedText ToText() => _text.Length == 0 ? MarkedText.Empty : new MarkedText(_text.ToString(), [.. _runs]);
}
