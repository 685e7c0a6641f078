namespace Kvasir.Inference.Chat.Answers;

/// <summary>What a text that may begin a call is.</summary>
enum CallHeadKind
{
    /// <summary>The beginning of one, perhaps.</summary>
    Partial,

    /// <summary>One, up to its arguments.</summary>
    Whole,

    /// <summary>Something else, or a call whose members come in another order.</summary>
    None,
}

/// <summary>The beginning of a call in JSON: <c>{"name": "…", "arguments": {</c>, up to that last bracket.</summary>
/// <param name="Kind">Whether it is one.</param>
/// <param name="Name">The tool.</param>
/// <param name="Length">Characters before the arguments.</param>
readonly record struct CallHead(CallHeadKind Kind, string Name = "", int Length = 0)
{
    /// <summary>Reads it from a place in a text.</summary>
    public static CallHead Read(string text, int from)
    {
        var at = new Place(text, from);
        if (at.Skip('{') is { } noObject)
            return new(noObject);
        if (at.String(out string member) is { } noMember)
            return new(noMember);
        if (member != "name")
            return new(CallHeadKind.None);
        if ((at.Skip(':') ?? at.String(out string name)) is { } noName)
            return new(noName);
        name = at.Last;
        if ((at.Skip(',') ?? at.String(out member)) is { } noArguments)
            return new(noArguments);
        if (at.Last is not ("arguments" or "parameters"))
            return new(CallHeadKind.None);
        if ((at.Skip(':') ?? at.Peek('{')) is { } noBracket)
            return new(noBracket);
        return new(CallHeadKind.Whole, name, at.Position);
    }

    /// <summary>A place in the text; what is told of it is why it goes no further, or null.</summary>
    struct Place(string text, int position)
    {
        public int Position { get; private set; } = position;

        public string Last { get; private set; } = "";

        public CallHeadKind? Peek(char expected)
        {
            while (Position < text.Length && char.IsWhiteSpace(text[Position]))
                Position++;
            return Position == text.Length ? CallHeadKind.Partial : text[Position] == expected ? null : CallHeadKind.None;
        }

        public CallHeadKind? Skip(char expected)
        {
            CallHeadKind? why = Peek(expected);
            Position += why is null ? 1 : 0;
            return why;
        }

        public CallHeadKind? String(out string value)
        {
            value = "";
            if (Peek('"') is { } why)
                return why;
            int end = Position + 1;
            while (end < text.Length && text[end] != '"')
                end += text[end] == '\\' ? 2 : 1;
            if (end >= text.Length)
                return CallHeadKind.Partial;
            if (WrittenJson.Parse(text[Position..(end + 1)]) is not { } spelled)
                return CallHeadKind.None;
            value = Last = spelled.GetString()!;
            Position = end + 1;
            return null;
        }
    }
}
