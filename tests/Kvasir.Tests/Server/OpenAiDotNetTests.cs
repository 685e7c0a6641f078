using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using System.Text.Json;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace Kvasir.Tests.Server;

/// <summary>The server as OpenAI's client for .NET sees it.</summary>
public sealed class OpenAiDotNetTests
{
    const string Model = "kvasir-saga";
    const string Schema = """{"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["c", "f"]}}, "required": ["city", "unit"], "additionalProperties": false}""";

    static readonly ChatMessage[] s_question = [new SystemChatMessage("Be brief."), new UserChatMessage("Who are you?")];

    static OpenAIClient Client(ServerFixture server) =>
        new(new ApiKeyCredential("none"), new OpenAIClientOptions
        {
            Endpoint = new Uri($"{server.Server.Address}/v1"), RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
        });

    static ChatCompletionOptions Options(int tokens = 24) => new() { Temperature = 0, MaxOutputTokenCount = tokens };

    static void Fits(string json)
    {
        JsonElement value = JsonDocument.Parse(json).RootElement;
        Assert.Equal(["city", "unit"], value.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
        Assert.Contains(value.GetProperty("unit").GetString(), (string[])["c", "f"]);
    }

    [Fact]
    public async Task A_chat_is_answered_and_its_prompt_is_found_again()
    {
        await using ServerFixture server = await ServerFixture.Start();
        ChatClient chat = Client(server).GetChatClient(Model);
        ChatMessage[] messages = [new UserChatMessage(ServerFixture.LongText(20))];
        ChatCompletion first = await chat.CompleteChatAsync(messages, Options(), ServerFixture.Patience);
        ChatCompletion second = await chat.CompleteChatAsync(messages, Options(), ServerFixture.Patience);
        Assert.NotEmpty(first.Content[0].Text);
        Assert.Equal(first.Content[0].Text, second.Content[0].Text);
        Assert.Equal(first.Usage.InputTokenCount + first.Usage.OutputTokenCount, first.Usage.TotalTokenCount);
        Assert.Equal((0, first.Usage.InputTokenCount - 1),
            (first.Usage.InputTokenDetails.CachedTokenCount, second.Usage.InputTokenDetails.CachedTokenCount));
    }

    [Fact]
    public async Task A_stream_says_what_the_answer_says()
    {
        await using ServerFixture server = await ServerFixture.Start();
        ChatClient chat = Client(server).GetChatClient(Model);
        ChatCompletion whole = await chat.CompleteChatAsync(s_question, Options(), ServerFixture.Patience);
        StringBuilder text = new();
        (ChatFinishReason? reason, ChatTokenUsage? usage) = (null, null);
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(s_question,
            Options(), ServerFixture.Patience))
        {
            text.AppendJoin("", update.ContentUpdate.Select(part => part.Text));
            (reason, usage) = (update.FinishReason ?? reason, update.Usage ?? usage);
        }
        Assert.Equal(whole.Content[0].Text, text.ToString());
        Assert.Equal((whole.FinishReason, whole.Usage.OutputTokenCount), (reason, usage?.OutputTokenCount));
    }

    [Fact]
    public async Task An_answer_keeps_to_a_schema()
    {
        await using ServerFixture server = await ServerFixture.Start();
        ChatCompletionOptions options = Options(200);
        options.ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("weather",
            BinaryData.FromString(Schema), jsonSchemaIsStrict: true);
        ChatCompletion answer = await Client(server).GetChatClient(Model).CompleteChatAsync(s_question, options, ServerFixture.Patience);
        Fits(answer.Content[0].Text);
    }

    [Fact]
    public async Task Tools_are_called_and_their_results_go_back_in()
    {
        string template = await File.ReadAllTextAsync(
            Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Templates", "corpus", "qwen-tools.jinja"), ServerFixture.Patience);
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { ChatTemplate = template });
        ChatClient chat = Client(server).GetChatClient(Model);
        ChatCompletionOptions options = Options(200);
        options.Tools.Add(ChatTool.CreateFunctionTool("forecast", "The weather of a city.", BinaryData.FromString(Schema)));
        options.ToolChoice = ChatToolChoice.CreateRequiredChoice();
        ChatCompletion answer = await chat.CompleteChatAsync(s_question, options, ServerFixture.Patience);
        Assert.Equal(ChatFinishReason.ToolCalls, answer.FinishReason);
        Assert.All(answer.ToolCalls, call => Fits(call.FunctionArguments.ToString()));
        StringBuilder arguments = new();
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(s_question, options, ServerFixture.Patience))
            arguments.AppendJoin("",
                update.ToolCallUpdates.Where(call => call.Index == 0).Select(call => call.FunctionArgumentsUpdate.ToString()));
        Assert.Equal(answer.ToolCalls[0].FunctionArguments.ToString(), arguments.ToString());
        options.ToolChoice = ChatToolChoice.CreateNoneChoice();
        ChatMessage[] next = [.. s_question, new AssistantChatMessage(answer),
            .. answer.ToolCalls.Select(call => new ToolChatMessage(call.Id, "Cold."))];
        ChatCompletion end = await chat.CompleteChatAsync(next, options, ServerFixture.Patience);
        Assert.NotEqual(ChatFinishReason.ToolCalls, end.FinishReason);
    }

    [Fact]
    public async Task Texts_are_embedded()
    {
        await using ServerFixture server = await ServerFixture.Start();
        EmbeddingClient client = Client(server).GetEmbeddingClient(Model);
        OpenAIEmbeddingCollection embeddings = await client.GenerateEmbeddingsAsync(
            [.. Enumerable.Range(0, 200).Select(i => $"mill {i % 100}")], cancellationToken: ServerFixture.Patience);
        float[][] vectors = [.. embeddings.Select(embedding => embedding.ToFloats().ToArray())];
        Assert.Equal(200, vectors.Length);
        Assert.Equal(1, vectors[0].Sum(value => (double)value * value), 1e-5);
        for (int i = 0; i < 100; i++)
            Assert.Equal(vectors[i], vectors[i + 100]);
        Assert.NotEqual(vectors[0], vectors[1]);
    }

    [Fact]
    public async Task What_is_refused_is_an_exception_with_its_status()
    {
        await using ServerFixture server = await ServerFixture.Start();
        ChatCompletionOptions options = Options();
        options.FrequencyPenalty = 5;
        ClientResultException e = await Assert.ThrowsAsync<ClientResultException>(
            () => Client(server).GetChatClient(Model).CompleteChatAsync(s_question, options, ServerFixture.Patience));
        Assert.Equal(400, e.Status);
        Assert.Contains("frequency_penalty: 5, expected", e.Message, StringComparison.Ordinal);
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(
            () => Client(server).GetChatClient("gpt-5").CompleteChatAsync(s_question, Options(), ServerFixture.Patience))).Status);
    }
}
