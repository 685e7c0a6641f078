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

    static readonly byte[] s_question = Bytes(Question);
    static readonly string[] s_encodings = ["gzip", "deflate", "br"];

    static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

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

    static HttpRequestMessage Request(string path, byte[] body, string encoding, Version version)
    {
        HttpRequestMessage request = new(HttpMethod.Post, path)
        {
            Content = new ByteArrayContent(body), Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (encoding.Length > 0)
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        return request;
    }

    static async Task<Answer> Send(ServerFixture server, string path, byte[] body, string encoding, Version? version = null)
    {
        using HttpRequestMessage request = Request(path, body, encoding, version ?? HttpVersion.Version11);
        using HttpResponseMessage response = await server.Client.SendAsync(request, ServerFixture.Patience);
        return new Answer(response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)),
            response.Version);
    }

    sealed record Answer(HttpStatusCode Status, JsonElement Body, Version Version)
    {
        public string Said => Body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

        public string? Code => Body.GetProperty("error").GetProperty("code").GetString();
    }

    [Fact]
    public async Task A_packed_body_says_what_the_plain_one_says()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string said = (await Send(server, Chat, s_question, "")).Said;
        foreach (string encoding in s_encodings)
            foreach (Version version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
            {
                Answer answer = await Send(server, Chat, Pack(encoding, s_question), encoding, version);
                Assert.Equal((said, version), (answer.Said, answer.Version));
            }
        Assert.Equal(said, (await Send(server, Chat, s_question, "identity")).Said);
    }

    [Fact]
    public async Task What_unpacks_to_too_much_is_given_up_and_what_is_not_packed_so_is_named()
    {
        await using ServerFixture server = await ServerFixture.Start();
        byte[] bomb = new byte[17 << 20];
        bomb.AsSpan().Fill((byte)' ');
        foreach (string encoding in s_encodings)
        {
            foreach (string path in (string[])[Chat, "/v1/completions"])
                Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await Send(server, path, Pack(encoding, bomb), encoding)).Status);
            Assert.Equal(HttpStatusCode.BadRequest, (await Send(server, Chat, s_question, encoding)).Status);
        }
        foreach (string encoding in (string[])["zstd", "gzip, gzip", "x"])
        {
            Answer answer = await Send(server, Chat, s_question, encoding);
            Assert.Equal((HttpStatusCode.UnsupportedMediaType, "unsupported_encoding"), (answer.Status, answer.Code));
        }
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await Send(server, "/v1/kv/import", [], "gzip")).Status);
        // long for a prompt, and no bomb: the same error that the plain one has
        Answer beyond = await Send(server, Chat, Pack("gzip", Bytes(Question.Replace("Who", new string('x', 3 << 20)))), "gzip");
        Assert.Equal((HttpStatusCode.BadRequest, "context_length_exceeded"), (beyond.Status, beyond.Code));
    }

    [Fact]
    public async Task One_port_speaks_both_versions_at_once_and_large_bodies_and_streams_come_through()
    {
        await using ServerFixture server = await ServerFixture.Start();
        byte[] large = Bytes(Question[..^1] + $", \"metadata\": \"{new string('x', 600_000)}\"}}"); // it waits for room
        Task<Answer>[] asked = [.. Enumerable.Range(0, 8).Select(i => Send(server, Chat, i % 4 == 3 ? large : s_question, "",
            i % 2 == 0 ? HttpVersion.Version11 : HttpVersion.Version20))];
        Assert.All(await Task.WhenAll(asked), answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        using HttpRequestMessage request = Request(Chat, Bytes(Question[..^1] + ", \"stream\": true}"), "", HttpVersion.Version20);
        using HttpResponseMessage stream = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead,
            ServerFixture.Patience);
        Assert.Equal(HttpVersion.Version20, stream.Version);
        Assert.EndsWith("data: [DONE]\n\n", await stream.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
        await server.AssertIdle();
    }
}
