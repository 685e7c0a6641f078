using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Kvasir.Inference.Templates;

namespace Kvasir.Inference.Chat;

/// <summary>
/// Finds in what a template wrote where the text of the last message ends, so that it can be gone on with: all that the template wrote
/// behind it is left away. Templates write it as it is, or without white space around it.
/// </summary>
static class OpenMessage
{
    /// <summary>The text that is gone on with: what the last message says, or thinks where it says nothing yet.</summary>
    public static string TextOf(JsonArray messages)
    {
        JsonNode last = messages[^1]!;
        return (string?)last["content"] is { Length: > 0 } content ? content : (string?)last["reasoning_content"] ?? "";
    }

    /// <summary>The prompt up to the end of a text, which is the last input in it.</summary>
    /// <exception cref="TemplateException">The template wrote something else.</exception>
    public static RenderedPrompt Cut(RenderedPrompt whole, string text)
    {
        ImmutableArray<PromptSegment> segments = whole.Segments;
        int last = segments.Length - 1;
        while (last >= 0 && !segments[last].IsInput)
            last--;
        string said = text.TrimEnd(), written = last < 0 ? "" : segments[last].Text;
        if (!written.EndsWith(text, StringComparison.Ordinal))
            written = written.TrimEnd().EndsWith(said.TrimStart(), StringComparison.Ordinal)
                ? written.TrimEnd() + text[said.Length..]
                : throw new TemplateException("it does not write the last message as it is, so that it cannot be gone on with");
        return new RenderedPrompt([.. segments.Take(last), new PromptSegment(written, IsInput: true)]);
    }

    /// <summary>What an answer begins behind: all that the template wrote since the last input but one, or the last.</summary>
    public static string Tail(RenderedPrompt prompt, bool isOpen)
    {
        int from = prompt.Segments.Length - 1;
        while (from >= 0 && (!prompt.Segments[from].IsInput || (isOpen && from == prompt.Segments.Length - 1)))
            from--;
        return string.Concat(prompt.Segments.Skip(from + 1).Select(segment => segment.Text));
    }
}
