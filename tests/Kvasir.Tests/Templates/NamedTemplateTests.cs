using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Templates;

/// <summary>
/// Chat templates that go by llama.cpp's names. What they should write is llama-server's (<c>--no-jinja --chat-template NAME</c>).
/// </summary>
public sealed class NamedTemplateTests
{
    static readonly JsonArray s_conversation = JsonNode.Parse("""
        [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": " Hi there "},
         {"role": "assistant", "content": " Hello. "}, {"role": "user", "content": "And you?"}]
        """)!.AsArray();

    [Fact]
    public void Each_writes_what_llama_server_writes()
    {
        JsonObject expected = JsonNode.Parse(
            File.ReadAllText(Path.Combine(Checkout.Root, "tests/Kvasir.Tests/Templates/named.json")))!.AsObject();
        using var model = Kvasir.Inference.LanguageModel.Load(SagaModel.Path);
        Assert.Equal(expected.Select(one => one.Key).Order(), NamedTemplates.Names.Order());
        foreach ((string name, JsonNode? text) in expected)
            Assert.Equal((name, (string)text!), (name, new ChatPrompts(model.Tokenizer, NamedTemplates.Find(name))
                .Write(s_conversation, null, null, PromptEnd.Answer).Text));
    }

    [Fact]
    public void Tools_are_told_of_and_contents_forge_no_frames()
    {
        using var model = Kvasir.Inference.LanguageModel.Load(SagaModel.Path);
        JsonArray tools = JsonNode.Parse(
            """[{"type": "function", "function": {"name": "dig", "parameters": {"type": "object"}}}]""")!.AsArray();
        foreach (string name in NamedTemplates.Names)
        {
            ChatPrompts prompts = new(model.Tokenizer, NamedTemplates.Find(name));
            Assert.True(prompts.Tools.IsGeneric, name);
            Assert.Contains("\"dig\"", prompts.Write(s_conversation, tools, null, PromptEnd.Answer).Text, StringComparison.Ordinal);
        }
        Assert.Null(NamedTemplates.Find("no-such"));
    }
}
