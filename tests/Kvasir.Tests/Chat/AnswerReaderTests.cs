using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;

namespace Kvasir.Tests.Chat;

/// <summary>Answers as families of models write them, cut into pieces at every place.</summary>
public sealed class AnswerReaderTests
{
    const string Think = "<think></think>", Hermes = "tools <tool_call>", Mistral = "tools [TOOL_CALLS]", Tekken = "tools [TOOL_CALLS] [ARGS]",
        Gemma = "<|channel>thought <channel|>", Granite = "<think></think> <response></response>",
        Llama = "tools", Harmony = "tools <|channel|> analysis";

    /// <summary>What a template speaks of, an answer, and its thoughts, text and calls.</summary>
    public static TheoryData<string, string, string, string, string> Answers => new()
    {
        { Think, "<think>\nHm. \n</think>\n\nYes.\n", "Hm.", "Yes.\n", "" },
        { Think, "Yes, 1 < 2.", "", "Yes, 1 < 2.", "" },
        { Think, "<think>\n\n</think>\n\nYes.", "", "Yes.", "" },
        { Think, "\n<think>a</thinking>b</think>c", "a</thinking>b", "c", "" },
        { Think, "<thin ice>", "", "<thin ice>", "" },
        { "[THINK][/THINK]", "[THINK]Hm.[/THINK]Yes.", "Hm.", "Yes.", "" },
        { Gemma, "<|channel>thought\nHm.\n<channel|>Yes.", "Hm.", "Yes.", "" },
        { Gemma, "<|channel>thought\n<channel|>Yes.", "", "Yes.", "" },
        { Gemma, "<|channel> 5 is <|channel>", "", "<|channel> 5 is <|channel>", "" },
        { "Here is my thought process:", "Here is my thought process: Hm.\n\nHere is my response: Yes.", "Hm.", "Yes.", "" },
        { "Here is my thought process:", "Here is my hat.", "", "Here is my hat.", "" },
        { Granite, "<think>Hm.</think>\n<response>Yes, 1 < 2.</response>", "Hm.", "Yes, 1 < 2.", "" },
        { Granite, "<think>Hm.</think>\n<resting>", "Hm.", "<resting>", "" },
        { Granite, "Yes, <response> is a tag.", "", "Yes, <response> is a tag.", "" },
        { Hermes, "So:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"</tool_call> } \\\" {\"}}\n</tool_call>\n", "", "So:",
            "f{\"a\": \"</tool_call> } \\\" {\"}" },
        { Hermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {\"b\": [1]}}\n</tool_call>",
            "", "", "f{}|g{\"b\": [1]}" },
        { Hermes, "<tool_call>{\"arguments\": {\"a\": 1}, \"name\": \"f\"}</tool_call>", "", "", "f{\"a\": 1}" },
        { Hermes, "<tool_call>\nno call\n</tool_call> it is", "", "<tool_call>\nno call\n</tool_call> it is", "" },
        { Hermes, "<tool_call>{\"name\": \"no call \\ud800\", \"arguments\": {}}</tool_call>", "",
            "<tool_call>{\"name\": \"no call \\ud800\", \"arguments\": {}}</tool_call>", "" },
        { Hermes, "a <tool_cab>", "", "a <tool_cab>", "" },
        { Hermes + Think, "<think>f?</think>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", "f?", "", "f{}" },
        { Mistral, "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"123456789\"}, {\"name\": \"g\", \"arguments\": {}}]", "", "",
            "f{\"a\": 1}|g{}" },
        { Mistral, "[{\"name\": \"f\", \"arguments\": {}}]", "", "", "f{}" },
        { Mistral, "[1, 2]", "", "[1, 2]", "" },
        { Tekken, "[TOOL_CALLS]f[ARGS]{\"a\": {\"b\": 1}}[TOOL_CALLS]g[CALL_ID]123[ARGS]{}", "", "", "f{\"a\": {\"b\": 1}}|g{}" },
        { Llama, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "", "", "f{\"a\": 1}" },
        { Llama, "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}", "", "", "f{}" },
        { Llama, "{\"name\": \"Bob\", \"parameters\": 3}", "", "{\"name\": \"Bob\", \"parameters\": 3}", "" },
        { Llama, "{\"city\": \"Bonn\"}", "", "{\"city\": \"Bonn\"}", "" },
        { Harmony, "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>1 <| 2", "Hm.", "1 <| 2", "" },
        { Harmony, "<|channel|>analysis<|message|>f?<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": \"<|end|>\"}<|call|>",
            "f?", "", "f{\"a\": \"<|end|>\"}" },
        { Harmony, " to=functions.f<|channel|>commentary json<|message|>{}", "", "", "f{}" },
        { Harmony, "Just words.", "", "Just words.", "" },
    };

    static AnswerReader Reader(string template) =>
        new(ThoughtFormat.Of(template), !template.Contains("tools", StringComparison.Ordinal) ? null : ToolFormat.Of(template), ["f", "g"],
            new ChatPrompt([]));

    /// <summary>Thoughts, text and calls, as they come of pieces.</summary>
    static (string Thoughts, string Text, string Calls) Read(string template, IEnumerable<string> pieces, bool isCut = false)
    {
        AnswerReader reader = Reader(template);
        (string thoughts, string text, string arguments) = ("", "", "");
        List<string> calls = [];
        foreach (string? piece in pieces.Append(null))
            foreach (AnswerPart part in piece is null ? reader.Flush(isCut) : reader.Append(piece))
            {
                thoughts += part.Kind == AnswerPartKind.Thought ? part.Text : "";
                text += part.Kind == AnswerPartKind.Text ? part.Text : "";
                arguments = part.Kind == AnswerPartKind.Call ? "" : arguments + (part.Kind == AnswerPartKind.Arguments ? part.Text : "");
                if (part.Kind != AnswerPartKind.CallEnd)
                    continue;
                Assert.Equal(part.Call!.Arguments, arguments);
                Assert.True(part.IsWhole || isCut);
                calls.Add(part.Call.Name + arguments);
            }
        return (thoughts, text, string.Join('|', calls));
    }

    [Theory, MemberData(nameof(Answers))]
    public void However_it_is_cut_it_is_the_same(string template, string answer, string thoughts, string text, string calls)
    {
        Assert.Equal((thoughts, text, calls), Read(template, [answer]));
        Assert.Equal((thoughts, text, calls), Read(template, answer.Select(character => character.ToString())));
        for (int at = 1; at < answer.Length; at++)
            Assert.Equal((thoughts, text, calls), Read(template, [answer[..at], answer[at..]]));
    }

    /// <summary>Of an answer that ends too early, text and thoughts are a beginning of what they would have been.</summary>
    [Theory, MemberData(nameof(Answers))]
    public void What_is_cut_off_leaks_no_marker(string template, string answer, string thoughts, string text, string calls)
    {
        if (text.Contains("no call", StringComparison.Ordinal))
            return; // what it is shows at its end
        for (int end = 1; end < answer.Length; end++)
        {
            var (thought, said, called) = Read(template, [answer[..end]], isCut: true);
            Assert.StartsWith(thought.TrimEnd('<', '['), thoughts, StringComparison.Ordinal);
            Assert.StartsWith(said.Trim().TrimEnd('<', '[', '{', ' ', '\n'), text.Trim(), StringComparison.Ordinal);
            Assert.StartsWith(called, calls, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"a": "\ud83d"}""")]
    [InlineData("""{"\udc00": 1}""")]
    [InlineData("""{"a": 1, "a": 2}""")]
    public void Arguments_that_not_everybody_can_read_are_not_whole_and_a_text_to_templates(string arguments)
    {
        AnswerPart[] parts = [.. Reader(Llama).Append($$"""{"name": "f", "parameters": {{arguments}}}""")];
        Assert.Equal((arguments, false), (parts[^1].Call!.Arguments, parts[^1].IsWhole));
        Assert.Equal(arguments, (string?)ChatTranscript.Call("1", "f", arguments)["function"]!["arguments"]);
    }

    [Fact]
    public void Thoughts_that_the_prompt_has_begun_end_like_others()
    {
        AnswerReader reader = new(ThoughtFormat.Of(Think), null, [], new ChatPrompt([]) { OpensThoughts = true });
        Assert.Equal([new AnswerPart(AnswerPartKind.Thought, "Hm."), new AnswerPart(AnswerPartKind.Text, "Yes.")],
            reader.Append("\nHm.\n</think>\n\nYes.").ToArray());
    }
}
