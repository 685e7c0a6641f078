using System.Text.Json;

namespace Kvasir.Inference.Chat.Answers;

/// <summary>
/// Answers that are calls as a whole: an object, several, or a list of them, perhaps behind a marker. Only what begins like a call of a
/// tool that was offered is one: the answer may be JSON of another kind.
/// </summary>
sealed class WholeCalls(ToolFormat format, IReadOnlyCollection<string> names, List<AnswerPart> parts) : CallFilter(parts)
{
    enum Place { Start, Unclear, Arguments, Object, Between, Text }

    /// <summary>Members that calls may begin with when they come in another order.</summary>
    static readonly string[] s_members = ["\"type\"", "\"function\"", "\"parameters\"", "\"arguments\"", "\"name\""];

    const string Typed = "{\"type\":\"function\"";

    bool _hasCalls;
    Place _place;

    protected override bool Step() => _place switch
    {
        Place.Start => TakeStart(),
        Place.Arguments => TakeArguments() && GoTo(Place.Object),
        Place.Object => TakeObject(),
        Place.Between => TakeBetween(),
        Place.Text => TakeText(),
        _ => false,
    };

    public override void Flush(bool isCut)
    {
        string rest = Held;
        Held = "";
        if (_place == Place.Arguments)
            EndCall();
        else if (_place is Place.Start or Place.Unclear && !isCut && Whole(WithoutMarker(rest)) is { Count: > 0 } calls
            && calls.TrueForAll(call => names.Contains(call.Name)))
            calls.ForEach(AddCall);
        else if (_place == Place.Text || !(_hasCalls || (isCut && IsOfCall(rest))))
            Say(rest);
    }

    bool TakeStart()
    {
        int at = WhiteSpace(0);
        if (format.Begin.Length > 0 && format.Begin.StartsWith(Held[at..], StringComparison.Ordinal)
            && Held.Length - at < format.Begin.Length)
            return false;
        if (format.Begin.Length > 0 && Held.AsSpan(at).StartsWith(format.Begin))
            at = WhiteSpace(at + format.Begin.Length);
        if (at < Held.Length && Held[at] == '[')
            at = WhiteSpace(at + 1);
        if (at == Held.Length)
            return false;
        CallHead head = CallHead.Read(Held, at);
        if (head.Kind == CallHeadKind.Partial)
            return false;
        if (head.Kind == CallHeadKind.None || !names.Contains(head.Name))
            return GoTo(head.Kind == CallHeadKind.None && MayBeCall(at) ? Place.Unclear : Place.Text);
        Held = Held[head.Length..];
        BeginCall(head.Name);
        return GoTo(Place.Arguments);
    }

    /// <summary>The rest of the object whose member the arguments are.</summary>
    bool TakeObject()
    {
        int end = Held.IndexOf('}', StringComparison.Ordinal);
        Held = end < 0 ? "" : Held[(end + 1)..];
        _hasCalls = true;
        return end >= 0 && GoTo(Place.Between);
    }

    bool TakeBetween()
    {
        Held = Held.TrimStart(' ', '\n', '\r', '\t', ',', ';', ']');
        return Held.Length > 0 && GoTo(Held[0] == '{' || format.Begin.StartsWith(Held[0]) ? Place.Start : Place.Text);
    }

    bool TakeText()
    {
        Say(Held);
        Held = "";
        return false;
    }

    /// <summary>Whether the rest of an answer that was cut belongs to a call.</summary>
    bool IsOfCall(string rest)
    {
        if (_place == Place.Start)
            return true;
        string plain = string.Concat(rest.Where(character => !char.IsWhiteSpace(character)));
        return names.Any(name => plain.Contains($"\"{name}\"", StringComparison.Ordinal))
            || Typed.StartsWith(plain, StringComparison.Ordinal) || plain.StartsWith(Typed, StringComparison.Ordinal);
    }

    bool MayBeCall(int at) => Held[at] == '{' && Held[(at + 1)..].TrimStart() is var member
        && Array.Exists(s_members, known => member.StartsWith(known, StringComparison.Ordinal));

    int WhiteSpace(int at)
    {
        while (at < Held.Length && char.IsWhiteSpace(Held[at]))
            at++;
        return at;
    }

    string WithoutMarker(string text) => format.Begin.Length > 0 ? text.Replace(format.Begin, "", StringComparison.Ordinal) : text;

    bool GoTo(Place place)
    {
        _place = place;
        return true;
    }

    static List<ToolCall> Whole(string text)
    {
        if (WrittenJson.Parse(text) is not { } root)
            return [];
        JsonElement[] items = root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray()] : [root];
        List<ToolCall> calls = [.. items.Select(ToolCall.Of).OfType<ToolCall>()];
        return calls.Count == items.Length ? calls : [];
    }
}
