using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Kvasir.Cluster.Routing;

namespace Kvasir.Tests.Cluster;

/// <summary>A prompt's text as a chain of hashes: what begins alike begins alike, and no body does any harm.</summary>
public class PromptChainTests
{
    static PromptChain Of(JsonNode body, string path = "/v1/chat/completions", string? key = null, string? session = null) =>
        PromptChain.Of(path, key, session, Encoding.UTF8.GetBytes(body.ToJsonString()));

    static JsonObject Chat(params string[] contents) => new()
    {
        ["messages"] = new JsonArray([.. contents.Select((content, i) => new JsonObject
        {
            ["role"] = i % 2 == 0 ? "user" : "assistant", ["content"] = content,
        })]),
    };

    static string Text(int length, char letter = 'x') => new(letter, length);

    [Fact]
    public void A_conversation_that_goes_on_has_a_chain_that_goes_on_and_one_affinity()
    {
        PromptChain first = Of(Chat(Text(2000))), second = Of(Chat(Text(2000), "I see.", Text(1000, 'y')));
        Assert.InRange(first.Hashes.Length, 7, 8);
        Assert.Equal(first.Hashes, second.Hashes.AsSpan(0, first.Hashes.Length));
        Assert.True(second.Hashes.Length > first.Hashes.Length + 2);
        Assert.Equal(first.Affinity, second.Affinity);
        Assert.NotEqual(first.Affinity, Of(Chat(Text(2000, 'z'))).Affinity);
        Assert.Equal(second.Hashes.Length, second.Hashes.Distinct().Count());
    }

    [Fact]
    public void White_space_and_the_order_of_fields_make_no_difference()
    {
        string one = $$"""{"model":"saga","system":"{{Text(600)}}","messages":[{"role":"user","content":"{{Text(600, 'y')}}"}]}""";
        string other = $$"""
            { "messages" : [ { "role": "user",  "content": "{{Text(600, 'y')}}" } ],
              "stream": true, "system": "{{Text(600)}}" }
            """;
        Assert.Equal(PromptChain.Of("/v1/messages", null, null, Encoding.UTF8.GetBytes(one)).Hashes,
            PromptChain.Of("/v1/messages", null, null, Encoding.UTF8.GetBytes(other)).Hashes);
    }

    [Fact]
    public void Keys_salts_and_protocols_are_kept_apart()
    {
        JsonObject salted = Chat(Text(2000));
        salted["cache_salt"] = "mine";
        ulong[] firsts = [Of(Chat(Text(2000))).Hashes[0], Of(Chat(Text(2000)), key: "key-one").Hashes[0],
            Of(Chat(Text(2000)), key: "key-two").Hashes[0], Of(salted).Hashes[0], Of(Chat(Text(2000)), "/v1/messages").Hashes[0]];
        Assert.Equal(firsts.Length, firsts.Distinct().Count());
    }

    [Fact]
    public void Lists_of_tokens_are_prompts_and_lists_of_prompts_are_none()
    {
        JsonArray tokens = [.. Enumerable.Range(0, 300).Select(i => (JsonNode)i)];
        PromptChain shorter = Of(new JsonObject { ["prompt"] = tokens }, "/v1/completions");
        Assert.True(shorter.Hashes.Length >= 3);
        JsonArray more = [.. Enumerable.Range(0, 400).Select(i => (JsonNode)i)];
        Assert.Equal(shorter.Hashes, Of(new JsonObject { ["prompt"] = more }, "/v1/completions").Hashes.AsSpan(0, shorter.Hashes.Length));
        Assert.Empty(Of(new JsonObject { ["prompt"] = new JsonArray(Text(900), Text(900)) }, "/v1/completions").Hashes);
        Assert.Empty(Of(new JsonObject { ["prompt"] = new JsonArray(new JsonArray(1, 2)) }, "/v1/completions").Hashes);
        Assert.Empty(Of(Chat(Text(900)), "/v1/embeddings").Hashes);
    }

    [Fact]
    public void A_session_that_is_named_is_the_affinity()
    {
        JsonObject named = Chat("Hi"), other = Chat("Hello");
        (named["prompt_cache_key"], other["prompt_cache_key"]) = ("case 7", "case 7");
        Assert.Equal(Of(named).Affinity, Of(other).Affinity);
        Assert.Equal(Of(Chat("Hi"), session: "s").Affinity, Of(Chat("Hello"), session: "s").Affinity);
        Assert.NotEqual(Of(Chat("Hi")).Affinity, Of(Chat("Hello")).Affinity);
        Assert.NotEqual(Of(named, key: "key-one").Affinity, Of(named, key: "key-two").Affinity);
    }

    [Fact]
    public void The_answer_that_is_continued_is_read()
    {
        JsonObject body = new() { ["input"] = "And then?", ["previous_response_id"] = "resp_17" };
        Assert.Equal("resp_17", Of(body, "/v1/responses").Previous);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("{")]
    [InlineData("""{"messages":""")]
    [InlineData("""{"messages":[{"role":"user","content":"a"}""")]
    [InlineData("""{"messages":null,"prompt":null}""")]
    [InlineData("""{"messages":"Hi","cache_salt":{"a":[1]},"user":7}""")]
    [InlineData("""{"messages":[{"role":"user","content":"\ud800"}],"user":"\ud800","previous_response_id":"\ud800\ud800"}""")]
    [InlineData("{\"a\":1}garbage")]
    public void No_body_does_any_harm(string body) => Assert.Empty(PromptChain.Of("/v1/chat/completions", null, null,
        Encoding.UTF8.GetBytes(body)).Hashes);

    [Fact]
    public void Depth_and_length_are_bounded()
    {
        byte[] deep = Encoding.UTF8.GetBytes("{\"messages\":" + new string('[', 100_000));
        Assert.Equal(PromptChain.None, PromptChain.Of("/v1/chat/completions", null, null, deep));
        Assert.Equal(8192, Of(Chat(Text(4 << 20))).Hashes.Length);
    }

    [Fact]
    public void Random_bytes_and_random_damage_do_no_harm() => Gen.Byte.Array[0, 300].Select(Gen.Int[0, 200]).Sample((noise, at) =>
    {
        PromptChain.Of("/v1/responses", null, null, noise);
        byte[] body = Encoding.UTF8.GetBytes(Chat(Text(500), "yes", "and?").ToJsonString());
        noise.AsSpan(0, Math.Min(noise.Length, body.Length - at)).CopyTo(body.AsSpan(at));
        PromptChain.Of("/v1/chat/completions", null, null, body);
    });

    /// <summary>Routers and nodes of other versions have to agree.</summary>
    [Fact]
    public void Hashes_are_pinned() => Assert.Equal(14735099665678883783,
        Of(Chat(Text(300)), key: "key-one").Hashes[0]);

    [Fact]
    public void Pieces_end_in_the_blocks_that_hold_their_ends()
    {
        PromptChain chain = new(new ulong[4], 1100, 0, null);
        Assert.Equal([4, 9, 13, 18], Enumerable.Range(0, 4).Select(piece => chain.BlockOf(piece, 20)));
        Assert.Equal(0, chain.BlockOf(3, 1));
    }
}
