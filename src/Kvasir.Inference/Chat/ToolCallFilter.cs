using System.Text;
using System.Text.Json;

namespace Kvasir.Inference.Chat;

/// <summary>
/// Finds calls of tools in an answer that arrives in pieces. Text that may be the beginning of a call is held back until it is one or
/// cannot become one; what looks like a call and is none is text.
/// </summary>
public sealed class ToolCallFilter(ToolFormat format)
{
    readonly string _begin = format.Begin.TrimEnd(), _end = format.End.TrimStart();
    readonly StringBuilder _held = new();
    bool _isCall, _isText; // of an answer that is a call as a whole, or is none

    /// <summary>Takes a piece; returns text that is certain now, and calls that are complete.</summary>
    public (string Text, List<ToolCall> Calls) Append(string text)
    {
        List<ToolCall> calls = [];
        var certain = new StringBuilder();
        _held.Append(text);
        if (_begin.Length == 0)
            certain.Append(TakeUnlessWhole());
        else
            while (TakeTagged(certain, calls)) { }
        return (certain.ToString(), calls);
    }

    /// <summary>What was held back, when no more will come.</summary>
    public (string Text, List<ToolCall> Calls) Flush()
    {
        string rest = _held.ToString();
        _held.Clear();
        if (_begin.Length == 0 && !_isText && Whole(rest) is { Count: > 0 } calls)
            return ("", calls);
        if (_isCall && ToolCall.Parse(rest) is { } unended)
            return ("", [unended]); // the tag that ends it may be the token that ended the answer
        return (_isCall ? _begin + rest : rest, []);
    }

    string TakeUnlessWhole()
    {
        string held = _held.ToString(), start = held.TrimStart();
        _isText |= start.Length > 0 && start[0] is not ('{' or '[');
        if (!_isText)
            return "";
        _held.Clear();
        return held;
    }

    bool TakeTagged(StringBuilder certain, List<ToolCall> calls)
    {
        string held = _held.ToString();
        int at = held.IndexOf(_isCall ? _end : _begin, StringComparison.Ordinal);
        if (at < 0 && _isCall)
            return false;
        if (at < 0)
        {
            int kept = Beginning(held);
            certain.Append(held, 0, held.Length - kept);
            _held.Remove(0, held.Length - kept);
            return false;
        }
        if (!_isCall)
            certain.Append(held.AsSpan(0, at).TrimEnd('\n'));
        else if (ToolCall.Parse(held[..at]) is { } call)
            calls.Add(call);
        else
            certain.Append(_begin).Append(held, 0, at + _end.Length);
        _held.Remove(0, at + (_isCall ? _end : _begin).Length);
        _isCall = !_isCall;
        return true;
    }

    /// <summary>Length of the longest end of the text that begins a call.</summary>
    int Beginning(string text)
    {
        for (int length = Math.Min(_begin.Length - 1, text.Length); length > 0; length--)
            if (text.AsSpan(text.Length - length).SequenceEqual(_begin.AsSpan(0, length)))
                return length;
        return 0;
    }

    static List<ToolCall> Whole(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text.Replace("[TOOL_CALLS]", "", StringComparison.Ordinal));
            JsonElement root = document.RootElement;
            JsonElement[] items = root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray()] : [root];
            List<ToolCall> calls = [.. items.Select(ToolCall.Of).OfType<ToolCall>()];
            return calls.Count == items.Length ? calls : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
