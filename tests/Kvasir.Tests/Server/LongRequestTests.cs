using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>A request that is far too long costs neither time nor memory.</summary>
[Collection(nameof(Allocations))]
public sealed class LongRequestTests : IAsyncLifetime
{
    const int Megabyte = 1 << 20;

    ServerFixture _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServerFixture.Start();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("/v1/chat/completions", "messages", false)]
    [InlineData("/v1/chat/completions", "messages", true)]
    [InlineData("/v1/messages", "messages", false)]
    [InlineData("/v1/responses", "input", false)]
    [InlineData("/v1/completions", "prompt", false)]
    [InlineData("/v1/embeddings", "input", false)]
    public async Task Fifteen_megabytes_are_refused_at_once(string path, string field, bool isChunked)
    {
        string text = string.Concat(Enumerable.Repeat("Finn has nine rabbits. ", 15 * Megabyte / 23));
        JsonNode prompt = field == "messages" ? new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }) : text;
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(new JsonObject { [field] = prompt });
        long allocated = GC.GetTotalAllocatedBytes(precise: true), start = Stopwatch.GetTimestamp();
        using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Headers.TransferEncodingChunked = isChunked;
        request.Content.Headers.ContentType = new("application/json");
        using HttpResponseMessage response = await _server.Client.SendAsync(request, ServerFixture.Patience);
        string answer = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(path == "/v1/messages" ? "1,024 tokens" : "context_length_exceeded", answer, StringComparison.Ordinal);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - allocated, 0, 100L * Megabyte);
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(5)); // 0.3 s where nobody else is at work
    }

    [Fact]
    public async Task Whoever_counts_tokens_hears_the_true_number()
    {
        string text = ServerFixture.LongText(2000);
        using HttpResponseMessage response = await _server.Post("/tokenize", new JsonObject { ["content"] = text });
        JsonElement answer = JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience));
        Assert.Equal(_server.Engine.Model.Tokenizer.EncodeTemplate(text).Length, answer.GetProperty("count").GetInt32());
        Assert.InRange(answer.GetProperty("count").GetInt32(), 2000, int.MaxValue);
    }

    [Fact]
    public void A_text_that_is_cut_has_more_tokens_than_are_wanted_and_another_all_of_its_own()
    {
        Tokenizer tokenizer = _server.Engine.Model.Tokenizer;
        Random random = new(7);
        for (int round = 0; round < 200; round++)
        {
            StringBuilder text = new();
            for (int length = random.Next(1, 400); text.Length < length;)
                text.Append(random.Next(4) switch
                {
                    0 => new string(' ', random.Next(1, 30)),
                    1 => "Finn",
                    2 => "\U0001F600",
                    _ => $"{(char)random.Next(32, 900)}",
                });
            int most = random.Next(0, 60);
            int[] all = tokenizer.EncodePrompt(text.ToString()), some = tokenizer.EncodePrompt(text.ToString(), most);
            if (all.Length <= most)
                Assert.Equal(all, some);
            else
                Assert.InRange(some.Length, most + 1, int.MaxValue);
        }
    }
}
