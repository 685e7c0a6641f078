using Kvasir.Tests.Server;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.Connectors.OpenAI;

namespace Kvasir.Tests.Compatibility;

/// <summary>Semantic Kernel's connector to OpenAI.</summary>
public sealed class SemanticKernelClientTests : ClientTests
{
    private protected override string Client => "Semantic Kernel";

    private protected override string? Version => VersionOf(typeof(OpenAIChatCompletionService));

    private protected override Dictionary<Feature, Show> Shows { get; } = new()
    {
        [Feature.Chat] = async server =>
            Assert.NotEmpty(await Ask(server, Settings())),
        [Feature.Stream] = async server =>
        {
            string whole = await Ask(server, Settings());
            string streamed = "";
            await foreach (StreamingChatMessageContent piece in Chat(server).GetStreamingChatMessageContentsAsync(
                new ChatHistory(Question), Settings(), null, ServerFixture.Patience))
                streamed += piece.Content;
            Assert.Equal(whole, streamed);
        },
        [Feature.Schema] = async server =>
        {
            OpenAIPromptExecutionSettings settings = Settings(200);
            settings.ResponseFormat = OpenAI.Chat.ChatResponseFormat.CreateJsonSchemaFormat("weather", BinaryData.FromString(Schema));
            Fits(await Ask(server, settings));
        },
        [Feature.Tools] = Tools,
        [Feature.Errors] = async server =>
        {
            OpenAIPromptExecutionSettings settings = Settings();
            settings.FrequencyPenalty = 5;
            HttpOperationException e = await Assert.ThrowsAsync<HttpOperationException>(() => Ask(server, settings));
            Assert.Equal(System.Net.HttpStatusCode.BadRequest, e.StatusCode);
        },
        [Feature.Leaving] = server => Leave(server, Chat(server).GetStreamingChatMessageContentsAsync(
            new ChatHistory("Tell a long story."), Settings(900), null, ServerFixture.Patience), piece => piece.Content?.Length > 0),
    };

    static OpenAIChatCompletionService Chat(ServerFixture server) => new(Model, OpenAiClientTests.Of(server));

    static async Task<string> Ask(ServerFixture server, OpenAIPromptExecutionSettings settings) =>
        (await Chat(server).GetChatMessageContentAsync(new ChatHistory(Question), settings, null, ServerFixture.Patience)).Content!;

    static OpenAIPromptExecutionSettings Settings(int tokens = 24) => new() { Temperature = 0, MaxTokens = tokens };

    static async Task Tools(ServerFixture server)
    {
        List<bool> asked = []; // of a text without a bound this model makes an endless one
        Kernel kernel = new();
        kernel.Plugins.AddFromFunctions("weather",
            [KernelFunctionFactory.CreateFromMethod((bool tomorrow) => { asked.Add(tomorrow); return "Cold."; }, "forecast", "The weather of today or tomorrow.")]);
        OpenAIPromptExecutionSettings settings = Settings(200);
        settings.FunctionChoiceBehavior = FunctionChoiceBehavior.Required();
        ChatHistory history = new(Question);
        await Chat(server).GetChatMessageContentAsync(history, settings, kernel, ServerFixture.Patience);
        Assert.NotEmpty(asked);
        Assert.Contains(history, message => message.Role == AuthorRole.Tool);
    }
}
