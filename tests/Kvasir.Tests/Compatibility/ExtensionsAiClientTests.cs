using Kvasir.Tests.Server;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.Compatibility;

/// <summary>Microsoft.Extensions.AI over OpenAI's client, as programs reach a server with it.</summary>
public sealed class ExtensionsAiClientTests : ClientTests
{
    private protected override string Client => "Microsoft.Extensions.AI.OpenAI";

    private protected override string? Version => VersionOf(typeof(OpenAIClientExtensions));

    private protected override Dictionary<Feature, Show> Shows { get; } = new()
    {
        [Feature.Chat] = async server =>
        {
            ChatResponse answer = await Chat(server).GetResponseAsync(Question, Options(), ServerFixture.Patience);
            Assert.NotEmpty(answer.Text);
            Assert.Equal(answer.Usage!.InputTokenCount + answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount);
        },
        [Feature.Stream] = async server =>
        {
            string whole = (await Chat(server).GetResponseAsync(Question, Options(), ServerFixture.Patience)).Text;
            List<ChatResponseUpdate> updates = [];
            await foreach (ChatResponseUpdate update in Chat(server).GetStreamingResponseAsync(Question, Options(), ServerFixture.Patience))
                updates.Add(update);
            Assert.Equal(whole, updates.ToChatResponse().Text);
        },
        [Feature.Cache] = async server =>
        {
            string text = ServerFixture.LongText(20);
            await Chat(server).GetResponseAsync(text, Options(), ServerFixture.Patience);
            ChatResponse again = await Chat(server).GetResponseAsync(text, Options(), ServerFixture.Patience);
            Assert.Equal(again.Usage!.InputTokenCount - 1, again.Usage.CachedInputTokenCount);
        },
        [Feature.Schema] = async server =>
        {
            ChatOptions options = Options(200);
            options.ResponseFormat = ChatResponseFormat.ForJsonSchema(System.Text.Json.JsonElement.Parse(Schema));
            Fits((await Chat(server).GetResponseAsync(Question, options, ServerFixture.Patience)).Text);
        },
        [Feature.Tools] = Tools,
        [Feature.Reasoning] = Reasoning,
        [Feature.Responses] = async server =>
        {
            using IChatClient responses = OpenAiClientTests.Of(server).GetResponsesClient().AsIChatClient(Model);
            ChatResponse first = await responses.GetResponseAsync(Question, Options(), ServerFixture.Patience);
            Assert.NotEmpty(first.Text);
            ChatOptions further = Options();
            further.ConversationId = first.ConversationId;
            ChatResponse second = await responses.GetResponseAsync("And then?", further, ServerFixture.Patience);
            Assert.True(second.Usage!.InputTokenCount > first.Usage!.InputTokenCount);
        },
        [Feature.Embeddings] = async server =>
        {
            using IEmbeddingGenerator<string, Embedding<float>> generator =
                OpenAiClientTests.Of(server).GetEmbeddingClient(Model).AsIEmbeddingGenerator();
            GeneratedEmbeddings<Embedding<float>> vectors = await generator.GenerateAsync(["mill", "mill", "lake"],
                cancellationToken: ServerFixture.Patience);
            Assert.Equal(vectors[0].Vector.ToArray(), vectors[1].Vector.ToArray());
            Assert.NotEqual(vectors[0].Vector.ToArray(), vectors[2].Vector.ToArray());
        },
        [Feature.Errors] = async server =>
        {
            ChatOptions options = Options();
            options.FrequencyPenalty = 5;
            var e = await Assert.ThrowsAsync<System.ClientModel.ClientResultException>(
                () => Chat(server).GetResponseAsync(Question, options, ServerFixture.Patience));
            Assert.Equal(400, e.Status);
        },
        [Feature.Leaving] = server => Leave(server,
            Chat(server).GetStreamingResponseAsync("Tell a long story.", Options(900), ServerFixture.Patience), update => update.Text.Length > 0),
    };

    /// <summary>Of both protocols; its streams of responses were made for an OpenAI client before this one.</summary>
    static async Task Reasoning(ServerFixture _)
    {
        await using ServerFixture thinker = await ScriptedServers.Thinker();
        using IChatClient chat = OpenAiClientTests.Of(thinker).GetChatClient("default").AsIChatClient(),
            responses = OpenAiClientTests.Of(thinker).GetResponsesClient().AsIChatClient("default");
        ChatOptions options = Options(60);
        options.Reasoning = new ReasoningOptions { Output = ReasoningOutput.Full };
        Assert.All(
            [
                await chat.GetResponseAsync("Hi", options, ServerFixture.Patience),
                await chat.GetStreamingResponseAsync("Hi", options, ServerFixture.Patience).ToChatResponseAsync(ServerFixture.Patience),
                await responses.GetResponseAsync("Hi", options, ServerFixture.Patience),
            ],
            answer => Assert.Equal((ScriptedServers.Thoughts, ScriptedServers.Answer), (string.Concat(answer.Messages
                .SelectMany(message => message.Contents).OfType<TextReasoningContent>().Select(content => content.Text)), answer.Text)));
    }

    static IChatClient Chat(ServerFixture server) => OpenAiClientTests.Of(server).GetChatClient(Model).AsIChatClient();

    static ChatOptions Options(int tokens = 24) => new() { Temperature = 0, MaxOutputTokens = tokens };

    static async Task Tools(ServerFixture server)
    {
        List<bool> asked = []; // of a text without a bound this model makes an endless one
        ChatOptions options = Options(200);
        options.Tools = [AIFunctionFactory.Create((bool tomorrow) => { asked.Add(tomorrow); return "Cold."; }, "forecast", "The weather of today or tomorrow.")];
        options.ToolMode = ChatToolMode.RequireAny;
        using IChatClient chat = Chat(server).AsBuilder().UseFunctionInvocation().Build(); // which asks again without the requirement
        ChatResponse answer = await chat.GetResponseAsync(Question, options, ServerFixture.Patience);
        Assert.NotEmpty(asked);
        Assert.Equal(asked.Count, answer.Messages.SelectMany(message => message.Contents).OfType<FunctionResultContent>().Count());
    }
}
