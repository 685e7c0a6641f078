using System.Text.Json;
using Kvasir.Serving;

namespace Kvasir.Tests.Serving;

/// <summary>The load generator against a server whose answers are known.</summary>
public sealed class ChatsTests : IDisposable
{
    readonly FakeServer _fake = new();

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    LoadOptions Options => new()
    {
        Servers = [new ServerSpec("fake", [], _fake.Address)],
        Clients = 5,
        Turns = 2,
        SystemTokens = 40,
        UserTokens = 6,
        MaxTokens = 2,
        Rounds = 1,
    };

    public void Dispose() => _fake.Dispose();

    [Fact]
    public async Task All_is_counted()
    {
        RoundResult result = Assert.Single(await new Rounds(Options, Cancelled).RunAsync());
        Dictionary<string, double?> figures = result.Figures.ToDictionary(figure => figure.Key, figure => figure.Value);
        Assert.False(result.Failed);
        Assert.Equal((10, 0, 0), ((int)figures["answers"]!, (int)figures["errors"]!, (int)figures["short_answers"]!));
        Assert.Equal((40, 75), ((int)figures["prompt_tokens_mean"]!, (int)figures["prompt_tokens_cached_percent"]!));
        Assert.Equal(1, figures["tokens_per_event"]);
    }

    [Fact]
    public async Task Chats_share_a_system_prompt_and_grow()
    {
        await new Rounds(Options, Cancelled).RunAsync();
        List<JsonElement> questions = [.. _fake.Questions.Skip(1)]; // the first one warms the server
        Assert.Equal(10, questions.Count);
        string system = Assert.Single(questions.Select(question => Contents(question)[0]).Distinct());
        Assert.Equal(40, system.Split(' ').Length);
        List<string[]> second = [.. questions.Select(Contents).Where(messages => messages.Length == 4)];
        Assert.Equal(5, second.Count);
        Assert.All(second, messages => Assert.Equal("today", messages[2]));
        Assert.Equal(10, second.SelectMany(messages => new[] { messages[1], messages[3] }).Distinct().Count());
        Assert.All(questions,
            question => Assert.True(question.GetProperty("ignore_eos").GetBoolean() && question.GetProperty("max_tokens").GetInt32() == 2));
    }

    [Fact]
    public async Task Every_round_has_texts_of_its_own_and_equal_seeds_give_equal_ones()
    {
        await new Rounds(Options with { Rounds = 2 }, Cancelled).RunAsync();
        await new Rounds(Options, Cancelled).RunAsync();
        string[] systems = [.. _fake.Questions.Select(question => Contents(question)[0]).Where(text => text != "Hello.").Distinct()];
        Assert.Equal(2, systems.Length);
        Assert.NotEqual(systems[0].Split(' ')[..3], systems[1].Split(' ')[..3]);
    }

    [Theory]
    [InlineData(null, "HTTP 500: out of blocks")]
    [InlineData("data: {\"choices\":[{\"delta\":{\"content\":\"to\"}}]}\n\n", "the stream ended before [DONE]")]
    [InlineData("data: {\"error\":{\"message\":\"no room\"}}\n\n", "no room")]
    [InlineData("data: {\"choices\":[{\"delta\":{\"content\":\"to\"}}]}\n\ndata: [DONE]\n\n", "the stream told no usage")]
    [InlineData("data: nonsense\n\n", "an event that is not as expected: nonsense")]
    public async Task What_goes_wrong_is_told(string? stream, string expected)
    {
        using RunningServer server = await RunningServer.StartAsync(Options.Servers[0], null, Cancelled);
        _fake.Stream = stream;
        (List<Answer> answers, _) = await new Chats(server, Options, await Prompts.MakeAsync(Options, 0, server.Http, Cancelled))
            .OneByOneAsync(Cancelled);
        Assert.Equal(new() { [expected] = 5, ["not asked: the answer before failed"] = 5 }, ChatFigures.Problems(answers).ToDictionary());
    }

    [Fact]
    public async Task A_server_that_fails_at_first_is_not_measured()
    {
        _fake.Stream = null;
        Assert.Contains("HTTP 500", (await Assert.ThrowsAsync<ServingException>(() => new Rounds(Options, Cancelled).RunAsync())).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_measured_before_a_failure_is_kept()
    {
        _fake.Patience = 11; // the first one and ten of the first round
        Rounds rounds = new(Options with { Rounds = 2 }, Cancelled);
        Assert.False(Assert.Single(await rounds.RunAsync()).Failed);
        Assert.Contains("HTTP 500", rounds.StoppedBy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_tokenizer_the_length_is_guessed()
    {
        using FakeServer silent = new() { CanTokenize = false };
        using HttpClient http = new() { BaseAddress = silent.Address };
        Prompts prompts = await Prompts.MakeAsync(Options, 0, http, Cancelled);
        Assert.False(prompts.Measured);
        Assert.Equal(30, prompts.System.Split(' ').Length);
    }

    [Fact]
    public async Task Idle_connections_stay_open_and_answered()
    {
        RoundResult result =
            Assert.Single(await new Rounds(Options with { Scenario = Scenario.Idle, Connections = 20 }, Cancelled).RunAsync());
        Assert.Empty(result.Problems);
        Assert.Equal(20, result.Figures.Single(figure => figure.Key == "still_open").Value);
    }

    [Fact]
    public async Task A_soak_leaves_some_answers_and_goes_on()
    {
        _fake.LeasedBlocks.Enqueue(0);
        LoadOptions options = Options with { Scenario = Scenario.Soak, SoakTime = TimeSpan.FromMilliseconds(500) };
        RoundResult result = Assert.Single(await new Rounds(options, Cancelled).RunAsync());
        Assert.Empty(result.Problems);
        Assert.InRange(result.Figures.Single(figure => figure.Key == "left").Value!.Value, 1, _fake.Questions.Count - 1);
    }

    [Theory]
    [InlineData(0L, 3, 1, 0)]
    [InlineData(null)]
    public async Task Those_who_have_just_gone_get_time_to_give_back(long? expected, params int[] leased)
    {
        foreach (int each in leased)
            _fake.LeasedBlocks.Enqueue(each);
        using HttpClient http = new() { BaseAddress = _fake.Address };
        Assert.Equal(expected, await KvStats.LeasedBlocksAtRestAsync(http, Cancelled));
    }

    static string[] Contents(JsonElement question) =>
        [.. question.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("content").GetString()!)];
}
