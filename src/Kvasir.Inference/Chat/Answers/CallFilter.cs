using System.Text;
using System.Text.Json;

namespace Kvasir.Inference.Chat.Answers;

/// <summary>Finds calls of tools in an answer that arrives in pieces, and tells of them as they come.</summary>
/// <param name="parts">Where what is certain goes.</param>
abstract class CallFilter(List<AnswerPart> parts)
{
    readonly StringBuilder _arguments = new();
    ToolCall? _call;
    JsonExtent _extent;

    /// <summary>What is not certain yet.</summary>
    protected string Held { get; set; } = "";

    public void Append(string text)
    {
        Held += text;
        while (Held.Length > 0 && Step()) { }
    }

    /// <summary>When no more will come.</summary>
    public abstract void Flush(bool isCut);

    /// <summary>Takes something of what is held; false when more has to come.</summary>
    protected abstract bool Step();

    protected void Say(string text)
    {
        if (text.Length > 0)
            parts.Add(new AnswerPart(AnswerPartKind.Text, text));
    }

    protected void BeginCall(string name)
    {
        (_call, _extent) = (ToolCall.New(name), default);
        _arguments.Clear();
        parts.Add(new AnswerPart(AnswerPartKind.Call, "", _call));
    }

    /// <summary>Takes what is held of the arguments; whether they are over.</summary>
    protected bool TakeArguments()
    {
        int length = _extent.Read(Held);
        AddArguments(Held[..length]);
        Held = Held[length..];
        if (_extent.IsOver)
            EndCall();
        return _extent.IsOver;
    }

    protected void AddArguments(string text)
    {
        _arguments.Append(text);
        if (text.Length > 0)
            parts.Add(new AnswerPart(AnswerPartKind.Arguments, text));
    }

    /// <summary>Whole or not: no more of it will come.</summary>
    protected void EndCall()
    {
        string arguments = _arguments.ToString();
        bool isWhole = WrittenJson.Parse(arguments) is { ValueKind: JsonValueKind.Object };
        parts.Add(new AnswerPart(AnswerPartKind.CallEnd, "", _call! with { Arguments = arguments }) { IsWhole = isWhole });
    }

    /// <summary>A call that is there all at once.</summary>
    protected void AddCall(ToolCall call)
    {
        BeginCall(call.Name);
        AddArguments(call.Arguments);
        EndCall();
    }
}
