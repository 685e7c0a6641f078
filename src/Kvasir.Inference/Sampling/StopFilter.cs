namespace Kvasir.Inference.Sampling;

/// <summary>
/// Finds stop strings in text that arrives in pieces. Text that may be the beginning of a stop string is held back until it is one or
/// cannot become one, so no part of a stop string is ever emitted, unless it is to be.
/// </summary>
/// <param name="stops">The stop strings.</param>
/// <param name="keepsStop">Whether the text ends behind the stop string, and not before it.</param>
sealed class StopFilter(IReadOnlyList<string> stops, bool keepsStop = false)
{
    readonly string[] _stops = [.. stops];
    string _held = "";

    /// <summary>Whether a stop string was found; nothing more comes out afterwards.</summary>
    public bool Stopped => Found is not null;

    /// <summary>The stop string that was found first in the text.</summary>
    public string? Found { get; private set; }

    /// <summary>Takes a piece of text and returns what may be emitted now: the same string, if nothing is held back.</summary>
    public string Append(string text)
    {
        if (Stopped)
            return "";
        string pending = _held.Length == 0 ? text : _held + text;
        int stop = FindStop(pending), emitted = !Stopped ? pending.Length - LongestBeginning(pending)
            : keepsStop ? stop + Found!.Length
            : stop;
        _held = Stopped ? "" : pending[emitted..];
        return pending[..emitted];
    }

    /// <summary>What was held back, when no more text will come.</summary>
    public string Flush()
    {
        string held = _held;
        _held = "";
        return held;
    }

    /// <summary>Where the stop string begins that begins first.</summary>
    int FindStop(string text)
    {
        int first = text.Length;
        foreach (string stop in _stops)
            if (text.IndexOf(stop, StringComparison.Ordinal) is var at && at >= 0 && (at < first || Found is null))
                (first, Found) = (at, stop);
        return first;
    }

    /// <summary>Length of the longest end of the text that begins a stop string.</summary>
    int LongestBeginning(string text)
    {
        int longest = 0;
        foreach (string stop in _stops)
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                    longest = length;
        return longest;
    }
}
