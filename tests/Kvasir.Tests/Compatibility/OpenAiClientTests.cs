using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using Kvasir.Tests.Server;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;
using OpenAI.Responses;

namespace Kvasir.Tests.Compatibility;

/// <summary>OpenAI's client for .NET.</summary>
public sealed class OpenAiClientTests : ClientTests
{
    static readonly ChatMessage[] s_question = [new SystemChatMessage("Be brief."), new UserChatMessage(Question)];

    private protected override string Client => "OpenAI for .NET";

    private protected override string? Version => VersionOf(typeof(OpenAIClient));

    private protected override Dictionary<Feature, Show> Shows { get; } = new()
    {
        [Feature.Chat] = async server =>
        {
            ChatCompletion answer = await Chat(server).CompleteChatAsync(s_question, Options(), ServerFixture.Patience);
            Assert.NotEmpty(answer.Content[0].Text);
            Assert.Equal(answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount);
        },
        [Feature.Cache] = async server =>
        {
            ChatMessage[] messages = [new UserChatMessage(ServerFixture.LongText(20))];
            ChatCompletion first = await Chat(server).CompleteChatAsync(messages, Options(), ServerFixture.Patience);
            ChatCompletion second = await Chat(server).CompleteChatAsync(messages, Options(), ServerFixture.Patience);
            Assert.Equal(first.Content[0].Text, second.Content[0].Text);
            Assert.Equal(first.Usage.InputTokenCount - 1, second.Usage.InputTokenDetails.CachedTokenCount);
        },
        [Feature.Stream] = Stream,
        [Feature.Schema] = async server =>
        {
            ChatCompletionOptions options = Options(200);
            options.ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("weather", BinaryData.FromString(Schema), jsonSchemaIsStrict: true);
            Fits((await Chat(server).CompleteChatAsync(s_question, options, ServerFixture.Patience)).Value.Content[0].Text);
        },
        [Feature.Tools] = Tools,
        [Feature.Reasoning] = async _ =>
        {
            await using ServerFixture thinker = await ScriptedServers.Thinker();
            ResponseResult answer = await Of(thinker).GetResponsesClient().CreateResponseAsync(
                new CreateResponseOptions("default", [ResponseItem.CreateUserMessageItem("Hi")])
                {
                    ReasoningOptions = new ResponseReasoningOptions { ReasoningSummaryVerbosity = ResponseReasoningSummaryVerbosity.Auto },
                }, ServerFixture.Patience);
            Assert.Equal((ScriptedServers.Thoughts, ScriptedServers.Answer),
                (answer.OutputItems.OfType<ReasoningResponseItem>().Single().GetSummaryText(), answer.GetOutputText()));
        },
        [Feature.Embeddings] = Embeddings,
        [Feature.Models] = async server =>
            Assert.Equal(Model, Assert.Single((await Of(server).GetOpenAIModelClient().GetModelsAsync(ServerFixture.Patience)).Value).Id),
        [Feature.Errors] = async server =>
        {
            ChatCompletionOptions options = Options();
            options.FrequencyPenalty = 5;
            ClientResultException e = await Assert.ThrowsAsync<ClientResultException>(
                () => Chat(server).CompleteChatAsync(s_question, options, ServerFixture.Patience));
            Assert.Equal(400, e.Status);
            Assert.Contains("frequency_penalty: 5, expected", e.Message, StringComparison.Ordinal);
        },
        [Feature.Leaving] = server => Leave(server, Chat(server).CompleteChatStreamingAsync(
            [new UserChatMessage("Tell a long story.")], Options(900), ServerFixture.Patience), update => update.ContentUpdate.Count > 0),
    };

    /// <summary>The client, at a server.</summary>
    internal static OpenAIClient Of(ServerFixture server) => new(new ApiKeyCredential("none"), new OpenAIClientOptions
    {
        Endpoint = new Uri($"{server.Server.Address}/v1"), RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
    });

    static ChatClient Chat(ServerFixture server) => Of(server).GetChatClient(Model);

    static ChatCompletionOptions Options(int tokens = 24) => new() { Temperature = 0, MaxOutputTokenCount = tokens };

    static async Task Stream(ServerFixture server)
    {
        ChatCompletion whole = await Chat(server).CompleteChatAsync(s_question, Options(), ServerFixture.Patience);
        StringBuilder text = new();
        (ChatFinishReason? reason, ChatTokenUsage? usage) = (null, null);
        await foreach (StreamingChatCompletionUpdate update in Chat(server).CompleteChatStreamingAsync(
            s_question, Options(), ServerFixture.Patience))
        {
            text.AppendJoin("", update.ContentUpdate.Select(part => part.Text));
            (reason, usage) = (update.FinishReason ?? reason, update.Usage ?? usage);
        }
        Assert.Equal(whole.Content[0].Text, text.ToString());
        Assert.Equal((whole.FinishReason, whole.Usage.OutputTokenCount), (reason, usage?.OutputTokenCount));
    }

    static async Task Tools(ServerFixture server)
    {
        ChatClient chat = Chat(server);
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

    static async Task Embeddings(ServerFixture server)
    {
        OpenAIEmbeddingCollection embeddings = await Of(server).GetEmbeddingClient(Model).GenerateEmbeddingsAsync(
            [.. Enumerable.Range(0, 200).Select(i => $"mill {i % 100}")], cancellationToken: ServerFixture.Patience);
        float[][] vectors = [.. embeddings.Select(embedding => embedding.ToFloats().ToArray())];
        Assert.Equal(200, vectors.Length);
        Assert.Equal(1, vectors[0].Sum(value => (double)value * value), 1e-5);
        for (int i = 0; i < 100; i++)
            Assert.Equal(vectors[i], vectors[i + 100]);
        Assert.NotEqual(vectors[0], vectors[1]);
    }
}
