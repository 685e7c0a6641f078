using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Kvasir.Tests.Server;

/// <summary>Bodies that clients pack, over HTTP/1.1 and over HTTP/2, which a connection may speak from its first byte.</summary>
public sealed class PackedBodyTests
{
    const string Chat = "/v1/chat/completions";
    const string Question = """{"messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0, "max_tokens": 4}""";

    static byte[] Pack(string encoding, byte[] plain)
    {
        using MemoryStream packed = new();
        using (Stream stream = encoding switch
        {
            "gzip" => new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true),
            "deflate" => new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true),
            _ => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
            stream.Write(plain);
        return packed.ToArray();
    }

    static async Task<(HttpStatusCode Status, JsonElement Body, Version Version)> Send(ServerFixture server, string path, byte[] body, string encoding,
        Version? version = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path)
        {
            Content = new ByteArrayContent(body), Version = version ?? HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (encoding.Length > 0)
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        using HttpResponseMessage response = await server.Client.SendAsync(request, ServerFixture.Patience);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)), response.Version);
    }

    static string Said(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

    static string? Code(JsonElement answer) => answer.GetProperty("error").GetProperty("code").GetString();

    [Fact]
    public async Task A_packed_body_says_what_the_plain_one_says()
    {
        await using ServerFixture server = await ServerFixture.Start();
        byte[] plain = Encoding.UTF8.GetBytes(Question);
        string said = Said((await Send(server, Chat, plain, "")).Body);
        foreach (string encoding in (string[])["gzip", "deflate", "br"])
            foreach (Version version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
                Assert.Equal((said, version), await Send(server, Chat, Pack(encoding, plain), encoding, version) is var (_, body, spoken) ? (Said(body), spoken) : default);
        Assert.Equal(said, Said((await Send(server, Chat, plain, "identity")).Body));
    }

    [Fact]
    public async Task What_unpacks_to_too_much_is_given_up_and_what_is_not_packed_so_is_named()
    {
        await using ServerFixture server = await ServerFixture.Start();
        byte[] bomb = new byte[17 << 20];
        bomb.AsSpan().Fill((byte)' ');
        foreach (string encoding in (string[])["gzip", "deflate", "br"])
            foreach (string path in (string[])[Chat, "/v1/completions"])
                Assert.Equal((encoding, HttpStatusCode.RequestEntityTooLarge), (encoding, (await Send(server, path, Pack(encoding, bomb), encoding)).Status));
        foreach (string encoding in (string[])["gzip", "deflate", "br"])
            Assert.Equal((encoding, HttpStatusCode.BadRequest), (encoding, (await Send(server, Chat, Encoding.UTF8.GetBytes(Question), encoding)).Status));
        foreach (string encoding in (string[])["zstd", "gzip, gzip", "x"])
            Assert.Equal((HttpStatusCode.UnsupportedMediaType, "unsupported_encoding"),
                await Send(server, Chat, Encoding.UTF8.GetBytes(Question), encoding) is var (status, body, _) ? (status, Code(body)) : default);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await Send(server, "/v1/kv/import", [], "gzip")).Status);
        // long for a prompt, and no bomb: the same error that the plain one has
        byte[] prompt = Encoding.UTF8.GetBytes(Question.Replace("Who", new string('x', 3 << 20), StringComparison.Ordinal));
        Assert.Equal((HttpStatusCode.BadRequest, "context_length_exceeded"),
            await Send(server, Chat, Pack("gzip", prompt), "gzip") is var (code, error, _) ? (code, Code(error)) : default);
    }

    [Fact]
    public async Task One_port_speaks_both_versions_at_once_and_large_bodies_and_streams_come_through()
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpClient two = new() { BaseAddress = server.Client.BaseAddress, DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        byte[] large = Encoding.UTF8.GetBytes(Question[..^1] + ", \"metadata\": \"" + new string('x', 600_000) + "\"}"); // waits for room, which streams of HTTP/2 have no rate for
        Task<HttpStatusCode>[] asked = [.. Enumerable.Range(0, 8).Select(async i =>
            (await Send(server, Chat, i % 4 == 3 ? large : Encoding.UTF8.GetBytes(Question), "", i % 2 == 0 ? HttpVersion.Version11 : HttpVersion.Version20)).Status)];
        Assert.All(await Task.WhenAll(asked), status => Assert.Equal(HttpStatusCode.OK, status));
        using HttpRequestMessage request = new(HttpMethod.Post, Chat)
        {
            Content = new StringContent(Question[..^1] + ", \"stream\": true}"), Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using HttpResponseMessage stream = await two.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ServerFixture.Patience);
        Assert.Equal(HttpVersion.Version20, stream.Version);
        Assert.EndsWith("data: [DONE]\n\n", await stream.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
        await server.AssertIdle();
    }
}
