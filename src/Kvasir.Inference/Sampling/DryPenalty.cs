using System.Text;

namespace Kvasir.Inference.Sampling;

/// <summary>The bytes that a token stands for.</summary>
delegate ReadOnlySpan<byte> TokenText(int token);

/// <summary>
/// DRY ("don't repeat yourself", https://github.com/oobabooga/text-generation-webui/pull/5677): where the end of the text stands earlier in
/// it, n tokens long, the token that followed there loses multiplier · base^(n − allowed), if n is at least allowed. No repetition is
/// counted over a breaker, and tokens that hold one lose nothing.
/// </summary>
sealed class DryPenalty(DryOptions options, TokenText text)
{
    const double MostPenalty = 1e30; // finite, whatever the exponent

    readonly byte[][] _breakers = [.. options.Breakers.Select(Encoding.UTF8.GetBytes)];
    readonly int _longest = options.Breakers.Select(Encoding.UTF8.GetByteCount).DefaultIfEmpty().Max();
    readonly Dictionary<int, int> _repeats = []; // tokens that would go on with a repetition, and the longest's length
    readonly List<byte> _end = []; // of the text: as much of it as a breaker may begin in
    int[] _matches = [];
    int _seen, _last, _sinceBreaker;

    /// <summary>Lowers the logits of tokens that would go on with a repetition.</summary>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="history">The sequence so far: that of the call before, and more. Another sequence is read anew.</param>
    public void Apply(Span<float> logits, ReadOnlySpan<int> history)
    {
        Read(history);
        ReadOnlySpan<int> window = options.Window < 0 ? history : history[^Math.Min(history.Length, options.Window)..];
        if (Math.Min(_sinceBreaker, window.Length) < options.AllowedLength)
            return;
        FindRepeats(window);
        foreach ((int token, int length) in _repeats)
            if (!HoldsBreaker(text(token)))
                logits[token] -= (float)Math.Min(MostPenalty, options.Multiplier * Math.Pow(options.Base, length - options.AllowedLength));
    }

    void Read(ReadOnlySpan<int> history)
    {
        if (_seen > history.Length || (_seen > 0 && history[_seen - 1] != _last))
        {
            _end.Clear();
            (_seen, _sinceBreaker) = (0, 0);
        }
        for (; _seen < history.Length; _seen++)
            _sinceBreaker = EndsBreaker(text(history[_seen])) ? 0 : _sinceBreaker + 1;
        _last = _seen > 0 ? history[^1] : 0;
    }

    /// <summary>Whether a breaker ends in the next token, wherever it began.</summary>
    bool EndsBreaker(ReadOnlySpan<byte> next)
    {
        int before = _end.Count;
        foreach (byte value in next)
            _end.Add(value);
        ReadOnlySpan<byte> all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_end);
        bool found = false;
        foreach (byte[] breaker in _breakers)
            found |= all[Math.Max(0, before - breaker.Length + 1)..].IndexOf(breaker) >= 0;
        if (_end.Count >= _longest)
            _end.RemoveRange(0, _end.Count - Math.Max(0, _longest - 1));
        return found;
    }

    bool HoldsBreaker(ReadOnlySpan<byte> bytes)
    {
        foreach (byte[] breaker in _breakers)
            if (bytes.IndexOf(breaker) >= 0)
                return true;
        return false;
    }

    /// <summary>
    /// How long the window's end stands before each of its tokens: the Z function of the window read backwards (Gusfield, "Algorithms on
    /// Strings, Trees, and Sequences", 1997), in time proportional to the window.
    /// </summary>
    void FindRepeats(ReadOnlySpan<int> window)
    {
        int count = window.Length;
        if (_matches.Length < count)
            _matches = new int[Math.Max(count, 2 * _matches.Length)];
        _repeats.Clear();
        for (int i = 1, left = 0, right = 0; i < count; i++)
        {
            int match = i < right ? Math.Min(right - i, _matches[i - left]) : 0;
            while (i + match < count && window[count - 1 - match] == window[count - 1 - i - match])
                match++;
            _matches[i] = match;
            if (i + match > right)
                (left, right) = (i, i + match);
            int length = Math.Min(match, _sinceBreaker), follower = window[count - i];
            if (length >= options.AllowedLength && length > _repeats.GetValueOrDefault(follower))
                _repeats[follower] = length;
        }
    }
}
