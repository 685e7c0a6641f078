using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Templates;

/// <summary>The templates, conversations and golden texts; tests/jinja-oracle writes the latter.</summary>
static class Corpus
{
    /// <summary>What the templates write that is a token of its own in their models' vocabularies.</summary>
    public static ImmutableArray<string> Frames { get; } =
    [
        "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]", "[ARGS]", "[TOOL_CONTENT]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "<|begin_of_text|>",
        "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_sep|>", "<|tool|>", "<|/tool|>", "<start_of_turn>",
        "<end_of_turn>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|end|>", "<|start|>", "<|message|>",
        "<|channel|>", "<|call|>", "<|return|>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|SYSTEM_TOKEN|>",
        "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<｜tool▁outputs▁begin｜>",
        "<｜tool▁outputs▁end｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>",
    ];

    static readonly string s_folder = Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Templates");

    static readonly JsonNode s_variables = JsonNode.Parse(File.ReadAllText(Path.Combine(s_folder, "corpus/conversations.json")))!;

    /// <summary>What a template should make of something: a text, the exception that it raises, or some other failure.</summary>
    public sealed record Golden(string? Conversation, string? Source, string? Text, string? Raised, string? Fails)
    {
        /// <summary>What is rendered, because the texts are long.</summary>
        public override string ToString() => Conversation ?? Source ?? "";
    }

    /// <summary>The templates' names.</summary>
    public static IEnumerable<string> Names => TemplatesIn(Folder).Select(path => Path.GetFileNameWithoutExtension(path));

    public static string Folder => Path.Combine(s_folder, "corpus");

    public static JsonObject LanguageVariables => s_variables["language"]!.AsObject();

    /// <summary>The moment that the oracle took for now.</summary>
    public static TimeProvider Clock { get; } = new FixedClock();

    public static IEnumerable<string> TemplatesIn(string folder) => Directory.EnumerateFiles(folder, "*.jinja").Order();

    public static string Source(string name) => File.ReadAllText(Path.Combine(Folder, $"{name}.jinja"));

    public static IEnumerable<string> Conversations => s_variables["conversations"]!.AsObject().Select(entry => entry.Key);

    public static JsonObject Variables(string conversation) => s_variables["conversations"]![conversation]!.AsObject();

    public static Golden[] Goldens(string name) => GoldensIn(Path.Combine(s_folder, "golden", $"{name}.json"));

    public static Golden[] GoldensIn(string path) =>
        JsonSerializer.Deserialize<Golden[]>(File.ReadAllText(path), JsonSerializerOptions.Web)!;

    /// <summary>Compares a run with its golden.</summary>
    public static void Check(Golden golden, string source, JsonObject variables)
    {
        string? text = null;
        var failure = Record.Exception(() => text = ChatTemplate.Parse(source).Render(variables, Clock).Text);

        if (failure is not null) Assert.IsType<TemplateException>(failure);
        string outcome = failure is TemplateException refusal
            ? $"{(refusal.RaisedByTemplate ? "raised " : "failed ")}{refusal.Message}"
            : text!;
        bool fails = failure is TemplateException { RaisedByTemplate: false };
        if (golden.Fails is not null) Assert.True(fails, $"{Printable.Line(outcome)}, expected a failure: {golden.Fails}");
        else Assert.Equal(golden.Text ?? $"raised {golden.Raised}", outcome);
    }

    sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2025, 7, 4, 9, 5, 0, TimeSpan.Zero);
    }
}
