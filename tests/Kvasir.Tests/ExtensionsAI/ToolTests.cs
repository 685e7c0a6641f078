using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.ExtensionsAI;

/// <summary>Calls of functions, with a model that has a template for them but never learnt it: it calls where it has to.</summary>
public sealed class ToolTests : IDisposable
{
    readonly SagaChat _saga = new(knowsTools: true);
    readonly List<string> _called = [];
    readonly AIFunction _count, _weather;

    public ToolTests()
    {
        _count = AIFunctionFactory.Create((Animal animal, bool young) =>
        {
            _called.Add($"{animal} {young}"); return new
            {
                animal, number = 7,
            };
        }, "count", "How many there are.");
        _weather = AIFunctionFactory.Create(() => { _called.Add("weather"); return "cold"; }, "weather");
    }

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    public void Dispose() => _saga.Dispose();

    ChatOptions Options(ChatToolMode mode) => new() { Tools = [_count, _weather], ToolMode = mode, MaxOutputTokens = 160 };

    Task<ChatResponse> Ask(ChatOptions options) => _saga.Client.GetResponseAsync("How many geese are there?", options, Patience);

    [Fact]
    public async Task A_required_function_is_called()
    {
        ChatResponse response = await Ask(Options(ChatToolMode.RequireSpecific("count")));
        FunctionCallContent call = Assert.IsType<FunctionCallContent>(Assert.Single(Assert.Single(response.Messages).Contents));
        Assert.Equal(("count", null, ChatFinishReason.ToolCalls), (call.Name, call.Exception, response.FinishReason));
        Assert.Equal(["animal", "young"], call.Arguments!.Keys);
        Assert.Contains(call.Arguments["animal"]!.ToString(), Enum.GetNames<Animal>());
    }

    [Fact]
    public async Task Of_any_required_one_of_those_offered_is_called_and_of_none_no_one_hears()
    {
        ChatResponse any = await Ask(Options(ChatToolMode.RequireAny)), none = await Ask(Options(ChatToolMode.None)),
            without = await Ask(new() { MaxOutputTokens = 160 });
        Assert.Contains(Assert.IsType<FunctionCallContent>(Assert.Single(any.Messages[0].Contents)).Name, (string[])["count", "weather"]);
        Assert.Equal(without.Usage!.InputTokenCount, none.Usage!.InputTokenCount);
        Assert.True(any.Usage!.InputTokenCount > none.Usage.InputTokenCount);
        Assert.Equal(without.Text, none.Text);
    }

    [Fact]
    public async Task What_may_be_a_form_or_a_call_is_either()
    {
        ChatOptions options = Options(ChatToolMode.Auto);
        options.ResponseFormat = ChatResponseFormat.ForJsonSchema<bool>();
        ChatResponse response = await Ask(options);
        Assert.True(response.Messages[0].Contents is [FunctionCallContent] || bool.TryParse(response.Text, out _), response.Text);
    }

    [Fact]
    public async Task The_loop_of_calls_and_results_goes_round()
    {
        using IChatClient client = _saga.Client.AsBuilder().UseFunctionInvocation().Build();
        ChatResponse response = await client.GetResponseAsync("How many geese are there?",
            Options(ChatToolMode.RequireSpecific("count")), Patience);
        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], response.Messages.Select(message => message.Role));
        FunctionCallContent call = Assert.IsType<FunctionCallContent>(Assert.Single(response.Messages[0].Contents));
        Assert.Equal([$"{call.Arguments!["animal"]} {bool.Parse(call.Arguments["young"]!.ToString()!)}"], _called);
        Assert.Equal(await Expected(call), response.Text);
        Assert.True(response.Usage!.CachedInputTokenCount > 0, "the second round found nothing of the first");
    }

    [Fact]
    public async Task What_needs_a_service_is_refused() =>
        Assert.Contains("Tools[1]: HostedWebSearchTool",
            (await Assert.ThrowsAsync<NotSupportedException>(() => Ask(new() { Tools = [_count, new HostedWebSearchTool()] }))).Message,
            StringComparison.Ordinal);

    /// <summary>What the engine says after the call and its result, written down by hand.</summary>
    async Task<string> Expected(FunctionCallContent call)
    {
        ChatTranscript transcript = new();
        transcript.Add("user", "How many geese are there?");
        string arguments =
            $$"""{"animal":"{{call.Arguments!["animal"]}}","young":{{call.Arguments["young"]!.ToString()!.ToLowerInvariant()}}}""";
        transcript.Add("assistant", "", json => json["tool_calls"] = new JsonArray(ChatTranscript.Call(call.CallId, "count", arguments)));
        transcript.Add("tool", $$"""{"animal":"{{call.Arguments["animal"]}}","number":7}""", json => json["tool_call_id"] = call.CallId);
        foreach (AIFunction tool in (AIFunction[])[_count, _weather])
            transcript.AddTool(tool.Name, tool.Description, tool.JsonSchema);
        return (await _saga.Engine.Start(_saga.Prompts.Encode(transcript.Messages, transcript.ToolDefinitions, null),
            new GenerationOptions { MaxTokens = 160 }).Result).Text;
    }

    enum Animal
    {
        Geese,
        Goats,
    }
}
