using System.Text.Json;
using Kvasir.Tests.Server;
using OllamaSharp;
using OllamaSharp.Models;
using OllamaSharp.Models.Chat;

namespace Kvasir.Tests.Compatibility;

/// <summary>Ollama's client for .NET.</summary>
public sealed class OllamaSharpClientTests : ClientTests
{
    private protected override string Client => "OllamaSharp";

    private protected override string? Version => VersionOf(typeof(OllamaApiClient));

    private protected override Dictionary<Feature, Show> Shows { get; } = new()
    {
        [Feature.Chat] = async server => Assert.NotEmpty(Assert.Single(await Ask(server, Chat(streams: false))).Message.Content!),
        [Feature.Stream] = async server =>
        {
            string whole = Assert.Single(await Ask(server, Chat(streams: false))).Message.Content!;
            Assert.Equal(whole, string.Concat((await Ask(server, Chat())).Select(piece => piece.Message.Content)));
        },
        [Feature.Schema] = async server => Fits(string.Concat((await Ask(server, Chat(200, format: JsonElement.Parse(Schema))))
            .Select(piece => piece.Message.Content))),
        [Feature.Reasoning] = async _ =>
        {
            await using ServerFixture thinker = await ScriptedServers.Thinker();
            foreach (bool streams in (bool[])[true, false])
            {
                ChatRequest request = Chat(60, streams);
                (request.Model, request.Think) = ("default", true);
                List<ChatResponseStream> pieces = await Ask(thinker, request);
                Assert.Equal(ScriptedServers.Thoughts, string.Concat(pieces.Select(piece => piece.Message.Thinking)));
                Assert.Equal(ScriptedServers.Answer, string.Concat(pieces.Select(piece => piece.Message.Content)));
            }
        },
        [Feature.Tools] = Tools,
        [Feature.Completions] = async server =>
        {
            string text = "";
            await foreach (GenerateResponseStream? piece in Of(server).GenerateAsync(
                new GenerateRequest { Model = Model, Prompt = Question, Options = Options(24) }, ServerFixture.Patience))
                text += piece!.Response;
            Assert.NotEmpty(text);
        },
        [Feature.Embeddings] = async server => Assert.Equal(2, (await Of(server).EmbedAsync(
            new EmbedRequest { Model = Model, Input = ["mill", "lake"] }, ServerFixture.Patience)).Embeddings.Count),
        [Feature.Models] = async server =>
            Assert.Equal($"{Model}:latest", Assert.Single(await Of(server).ListLocalModelsAsync(ServerFixture.Patience)).Name),
        [Feature.Errors] = async server => Assert.Contains("yaml",
            (await Assert.ThrowsAnyAsync<Exception>(() => Ask(server, Chat(format: "yaml")))).Message, StringComparison.Ordinal),
    };

    static async Task Tools(ServerFixture _)
    {
        await using ServerFixture caller = await ScriptedServers.Caller();
        ChatRequest request = Chat(60);
        request.Model = "default";
        request.Tools =
            [new Tool { Function = new Function { Name = "noon", Description = "When it is.", Parameters = new Parameters() } }];
        Message.ToolCall call = Assert.Single((await Ask(caller, request)).SelectMany(piece => piece.Message.ToolCalls ?? []));
        Assert.Equal("noon", call.Function!.Name);
        request.Messages = [.. request.Messages!, new Message(ChatRole.Assistant, "") { ToolCalls = [call] },
            new Message(ChatRole.Tool, "At twelve.") { ToolName = "noon" }];
        ChatDoneResponseStream end = (await Ask(caller, request)).OfType<ChatDoneResponseStream>().Single();
        Assert.True(end.Done);
    }

    static OllamaApiClient Of(ServerFixture server) => new(server.Server.Address, Model);

    static RequestOptions Options(int tokens) => new() { Temperature = 0, RepeatPenalty = 1, NumPredict = tokens };

    static ChatRequest Chat(int tokens = 24, bool streams = true, object? format = null) => new()
    {
        Model = Model, Messages = [new Message(ChatRole.User, Question)], Options = Options(tokens), Stream = streams, Format = format,
    };

    static async Task<List<ChatResponseStream>> Ask(ServerFixture server, ChatRequest request)
    {
        using OllamaApiClient client = Of(server);
        List<ChatResponseStream> pieces = [];
        await foreach (ChatResponseStream? piece in client.ChatAsync(request, ServerFixture.Patience))
            pieces.Add(piece!);
        return pieces;
    }
}
