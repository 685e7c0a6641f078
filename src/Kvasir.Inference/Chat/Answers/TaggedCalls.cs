namespace Kvasir.Inference.Chat.Answers;

/// <summary>
/// Calls between markers, with text before and between them. What stands between tags and is no call is text.
/// </summary>
sealed class TaggedCalls(ToolFormat format, List<AnswerPart> parts) : CallFilter(parts)
{
    enum Place { Text, Head, Whole, Arguments, Tail }

    readonly string _begin = format.Begin.TrimEnd(), _end = format.End.TrimStart();
    bool _hasCalls;
    Place _place;

    protected override bool Step() => _place switch
    {
        Place.Text => TakeText(),
        Place.Head => format.Style == ToolStyle.Named ? TakeName() : TakeHead(),
        Place.Whole => TakeWhole(),
        Place.Arguments => TakeArguments() && GoTo(format.Style == ToolStyle.Named ? Place.Text : Place.Tail),
        _ => TakeTail(),
    };

    public override void Flush(bool isCut)
    {
        string rest = Held;
        Held = "";
        switch (_place)
        {
            case Place.Text:
                SayRest(isCut ? rest[..^Marker.BeginningAtEnd(rest, _begin)] : rest);
                break;
            case Place.Arguments:
                EndCall();
                break;
            case Place.Head or Place.Whole when !isCut: // the tag that ends it may be the token that ended the answer
                if (ToolCall.Parse(rest) is { } call)
                    AddCall(call);
                else
                    Say(_begin + rest);
                break;
        }
    }

    /// <summary>White space before and behind calls is no text.</summary>
    bool TakeText()
    {
        if (_hasCalls)
            Held = Held.TrimStart();
        int at = Held.IndexOf(_begin, StringComparison.Ordinal);
        string text = Held[..(at < 0 ? Held.Length - Marker.BeginningAtEnd(Held, _begin) : at)].TrimEnd('\n');
        _hasCalls &= text.Length == 0;
        Say(text);
        Held = Held[(at < 0 ? text.Length : at + _begin.Length)..];
        return at >= 0 && GoTo(Place.Head);
    }

    void SayRest(string rest) => Say(_hasCalls ? rest.TrimStart() : rest);

    bool TakeHead()
    {
        CallHead head = CallHead.Read(Held, 0);
        if (head.Kind == CallHeadKind.Partial && !Held.Contains(_end, StringComparison.Ordinal))
            return false;
        if (head.Kind != CallHeadKind.Whole)
            return GoTo(Place.Whole);
        Held = Held[head.Length..];
        BeginCall(head.Name);
        return GoTo(Place.Arguments);
    }

    /// <summary>A name, perhaps an id, a marker, and then arguments.</summary>
    bool TakeName()
    {
        int arguments = Held.IndexOf('{', StringComparison.Ordinal);
        if (arguments < 0)
            return false;
        string name = Held[..arguments].Split('[')[0].Trim();
        if (name.Length == 0)
            return GoTo(Place.Whole);
        Held = Held[arguments..];
        BeginCall(name);
        return GoTo(Place.Arguments);
    }

    /// <summary>Its members come in another order, or it is no call: what it is shows when it is there.</summary>
    bool TakeWhole()
    {
        int end = Held.IndexOf(_end, StringComparison.Ordinal);
        if (end < 0)
            return false;
        ToolCall? call = ToolCall.Parse(Held[..end]);
        _hasCalls = call is not null;
        if (call is not null)
            AddCall(call);
        else
            Say(_begin + Held[..(end + _end.Length)]);
        Held = Held[(end + _end.Length)..];
        return GoTo(Place.Text);
    }

    bool TakeTail()
    {
        int end = Held.IndexOf(_end, StringComparison.Ordinal);
        if (end < 0)
            return false;
        Held = Held[(end + _end.Length)..];
        return GoTo(Place.Text);
    }

    bool GoTo(Place place)
    {
        _hasCalls |= _place is Place.Arguments;
        _place = place;
        return true;
    }
}
