namespace Kvasir.Inference.Templates.Values;

/// <summary>One run of a template: its clock, where it is and what it may still spend.</summary>
sealed class Rendering(TimeProvider time)
{
    long _steps = Limits.Steps;
    long _characters = Limits.Characters;
    int _depth;

    public TimeProvider Time { get; } = time;

    /// <summary>The line of the source that was visited last.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>Begins an evaluation, to be followed by <see cref="Leave"/> unless something is thrown.</summary>
    public void Enter(int line)
    {
        Line = line;
        if (++_depth > Limits.Depth)
            throw new TemplateException(
                $"more than {Limits.Depth} evaluations within each other, expected fewer: is there an end to its macros?");
        Spend(1);
    }

    public void Leave() => _depth--;

    public void Spend(long steps)
    {
        if ((_steps -= steps) < 0) throw new TemplateException($"more than {Limits.Steps} steps, expected fewer");
    }

    /// <summary>Pays for parts cut from a text.</summary>
    public void SpendParts(long parts) => Spend(parts * Limits.StepsOfPart);

    /// <summary>Pays for reading or making a value, without what lies inside it.</summary>
    public T Charge<T>(T value)
    {
        if (value is MarkedText text) ChargeText(text.Text.Length);
        else if (value is IReadOnlyCollection<object?> list) Spend(list.Count);
        else if (value is OrderedDictionary<object, object?> dictionary) Spend(dictionary.Count);
        return value;
    }

    public void ChargeText(long characters)
    {
        if ((_characters -= characters) < 0)
            throw new TemplateException($"more than {Limits.Characters} characters read and written, expected fewer");
    }

    /// <summary>Pays for a search, which may compare a long needle at each place of the text.</summary>
    public void ChargeSearch(MarkedText text, string needle) => ChargeText((long)text.Text.Length * (needle.Length / 64));
}
