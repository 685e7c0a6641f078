namespace Kvasir.Inference.Chat.Answers;

/// <summary>
/// Answers of gpt-oss: messages, each with a channel and perhaps a recipient in its head. What goes to a function is a call, what the
/// analysis channel says is thought, all else is text.
/// </summary>
sealed class HarmonyFilter : CallFilter
{
    enum Place { Head, Thought, Text, Call, Over }

    const string Message = "<|message|>", Start = "<|start|>", Channel = "<|channel|>", ToFunction = "to=functions.";
    const int LongestHead = 512;

    static readonly string[] s_ends = ["<|end|>", "<|call|>", "<|return|>", Start, Channel];

    readonly List<AnswerPart> _parts;
    readonly bool _splitsThoughts;
    Place _place;

    public HarmonyFilter(List<AnswerPart> parts, ChatPrompt prompt, bool splitsThoughts) : base(parts) =>
        (_parts, _splitsThoughts, _place) = (parts, splitsThoughts,
            prompt.OpensThoughts ? Place.Thought : prompt.Continues.Length > 0 ? Place.Text : Place.Head);

    protected override bool Step() => _place switch
    {
        Place.Head => TakeHead(),
        Place.Call => TakeArguments() && GoTo(Place.Over),
        _ => TakeBody(),
    };

    public override void Flush(bool isCut)
    {
        if (_place == Place.Call)
            EndCall();
        else if (_place is Place.Text or Place.Thought)
            Add(isCut ? Held[..^Marker.BeginningAtEnd(Held, s_ends)] : Held);
        else if (_place == Place.Head && !isCut && !IsHead(Held))
            Say(Held);
        Held = "";
    }

    bool TakeHead()
    {
        int end = Held.IndexOf(Message, StringComparison.Ordinal);
        if (end < 0)
            return !(IsHead(Held) && Held.Length < LongestHead) && GoTo(Place.Text);
        string head = Held[..end];
        Held = Held[(end + Message.Length)..];
        if (head.IndexOf(ToFunction, StringComparison.Ordinal) is >= 0 and var to)
        {
            BeginCall(head[(to + ToFunction.Length)..].Split(' ', '<')[0]);
            return GoTo(Place.Call);
        }
        return GoTo(head.Contains($"{Channel}analysis", StringComparison.Ordinal) ? Place.Thought : Place.Text);
    }

    /// <summary>Behind the start of a turn that the prompt has written.</summary>
    static bool IsHead(string text) => text.TrimStart() is var head && (head.Length == 0
        || Channel.StartsWith(head, StringComparison.Ordinal) || head.StartsWith(Channel, StringComparison.Ordinal)
        || Start.StartsWith(head, StringComparison.Ordinal) || head.StartsWith(Start, StringComparison.Ordinal)
        || ToFunction.StartsWith(head, StringComparison.Ordinal) || head.StartsWith(ToFunction, StringComparison.Ordinal));

    bool TakeBody()
    {
        int end = -1;
        foreach (string marker in s_ends)
            if (Held.IndexOf(marker, StringComparison.Ordinal) is >= 0 and var at && (end < 0 || at < end))
                end = at;
        int taken = end < 0 ? Held.Length - Marker.BeginningAtEnd(Held, s_ends) : end;
        Add(Held[..taken]);
        Held = Held[taken..];
        if (end < 0)
            return false;
        Held = Held.StartsWith(Start, StringComparison.Ordinal) || Held.StartsWith(Channel, StringComparison.Ordinal)
            ? Held : Held[(Held.IndexOf('>', StringComparison.Ordinal) + 1)..];
        return GoTo(Place.Head);
    }

    void Add(string text)
    {
        if (_place == Place.Text)
            Say(text);
        else if (_place == Place.Thought && text.Length > 0)
            _parts.Add(new AnswerPart(_splitsThoughts ? AnswerPartKind.Thought : AnswerPartKind.Text, text));
    }

    bool GoTo(Place place)
    {
        _place = place;
        return true;
    }
}
