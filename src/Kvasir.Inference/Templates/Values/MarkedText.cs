namespace Kvasir.Inference.Templates.Values;

/// <summary>
/// Text that remembers of each character whether it stems from input. Equality is not defined: compare <see cref="Text"/>.
/// </summary>
sealed class MarkedText
{
    readonly Run[] _runs; // cover the text; none is empty and neighbours differ

    internal MarkedText(string text, Run[] runs) => (Text, _runs) = (text, runs);

    /// <summary>Characters of one origin, up to a place in the text.</summary>
    public readonly record struct Run(int End, bool IsInput);

    public static MarkedText Empty { get; } = new("", []);

    public string Text { get; }

    public bool HasInput => _runs.Any(run => run.IsInput);

    public IEnumerable<PromptSegment> Segments
    {
        get
        {
            int start = 0;
            foreach (Run run in _runs)
            {
                yield return new PromptSegment(Text[start..run.End], run.IsInput);
                start = run.End;
            }
        }
    }

    internal ReadOnlySpan<Run> Runs => _runs;

    public static MarkedText Template(string text) => Of(text, false);

    public static MarkedText Of(string text, bool isInput) => text.Length == 0
        ? Empty
        : new MarkedText(text, [new Run(text.Length, isInput)]);

    /// <summary>Other characters of the same number and origins.</summary>
    public MarkedText With(string text) => text.Length == Text.Length
        ? new MarkedText(text, _runs)
        : throw new ArgumentException($"{text.Length} characters, expected {Text.Length}", nameof(text));

    public MarkedText Slice(int start, int length)
    {
        if (length == 0) return Empty;
        if (length == Text.Length) return this;
        string text = Text.Substring(start, length);
        if (_runs.Length == 1) return Of(text, _runs[0].IsInput);
        List<Run> cut = [];
        for (int i = RunAt(start); cut.Count == 0 || cut[^1].End < length; i++)
            cut.Add(new Run(Math.Min(_runs[i].End - start, length), _runs[i].IsInput));
        return new MarkedText(text, [.. cut]);
    }

    /// <summary>The part from one place to another.</summary>
    public MarkedText this[Range range]
    {
        get
        {
            (int start, int length) = range.GetOffsetAndLength(Text.Length);
            return Slice(start, length);
        }
    }

    public override string ToString() => Text;

    int RunAt(int position)
    {
        int low = 0, high = _runs.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_runs[middle].End > position) high = middle;
            else low = middle + 1;
        }
        return low;
    }
}
