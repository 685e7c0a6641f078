using System.Text;

namespace Kvasir.Inference.Sampling;

/// <summary>
/// Finds stop strings in text that arrives in pieces. Text that may be the beginning of a stop string is held back until it is one or cannot
/// become one, so no part of a stop string is ever emitted.
/// </summary>
sealed class StopFilter(IReadOnlyList<string> stops)
{
    readonly StringBuilder _held = new();

    /// <summary>Whether a stop string was found; nothing more comes out afterwards.</summary>
    public bool Stopped => Found is not null;

    /// <summary>The stop string that was found first in the text.</summary>
    public string? Found { get; private set; }

    /// <summary>Takes a piece of text and returns what may be emitted now.</summary>
    public string Append(string text)
    {
        if (Stopped)
            return "";
        string pending = _held.Append(text).ToString();
        _held.Clear();
        (int At, string Stop)[] found = [.. stops.Select(stop => (At: pending.IndexOf(stop, StringComparison.Ordinal), Stop: stop)).Where(stop => stop.At >= 0)];
        Found = found.Length > 0 ? found.MinBy(stop => stop.At).Stop : null;
        int emitted = Stopped ? found.Min(stop => stop.At) : pending.Length - LongestBeginning(pending);
        if (!Stopped)
            _held.Append(pending, emitted, pending.Length - emitted);
        return pending[..emitted];
    }

    /// <summary>What was held back, when no more text will come.</summary>
    public string Flush()
    {
        string held = _held.ToString();
        _held.Clear();
        return held;
    }

    /// <summary>Length of the longest end of the text that begins a stop string.</summary>
    int LongestBeginning(string text)
    {
        int longest = 0;
        foreach (string stop in stops)
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                    longest = length;
        return longest;
    }
}
