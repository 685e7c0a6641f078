using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Kvasir.Tests.Serving;

/// <summary>An OpenAI-compatible server whose answers are written beforehand; a word is a token to it.</summary>
sealed class FakeServer : IDisposable
{
    readonly HttpListener _listener = new();

    public FakeServer()
    {
        using (TcpListener port = new(IPAddress.Loopback, 0))
        {
            port.Start();
            Address = new Uri($"http://127.0.0.1:{((IPEndPoint)port.LocalEndpoint).Port}/");
        }
        _listener.Prefixes.Add(Address.ToString());
        _listener.Start();
        _ = ListenAsync();
    }

    public Uri Address { get; }

    /// <summary>The bodies of all questions so far.</summary>
    public ConcurrentQueue<JsonElement> Questions { get; } = [];

    /// <summary>What is streamed to each question; null answers with status 500.</summary>
    public string? Stream { get; set; } =
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n" +
        ": still there\n\n" +
        "data: {\"choices\":[{\"delta\":{\"content\":\"to\"}}]}\n\n" +
        "data: {\"choices\":[{\"delta\":{\"content\":\"day\"}}],\"usage\":null}\n\n" +
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":30}}}\n\n" +
        "data: [DONE]\n\n";

    /// <summary>How many questions it answers before it fails.</summary>
    public int Patience { get; set; } = int.MaxValue;

    /// <summary>Whether it has a <c>/tokenize</c>.</summary>
    public bool CanTokenize { get; init; } = true;

    /// <summary>
    /// What <c>/v1/kv/stats</c> tells of leased blocks, one after another and the last one for ever; empty for a server without it.
    /// </summary>
    public ConcurrentQueue<int> LeasedBlocks { get; } = [];

    public void Dispose() => _listener.Close();

    async Task ListenAsync()
    {
        while (_listener.IsListening)
            try
            {
                HttpListenerContext context = await _listener.GetContextAsync();
                _ = Task.Run(() => AnswerAsync(context));
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
    }

    async Task AnswerAsync(HttpListenerContext context)
    {
        string body = await new StreamReader(context.Request.InputStream).ReadToEndAsync();
        string? answer = context.Request.Url!.AbsolutePath switch
        {
            "/health" => "{}",
            "/v1/models" => """{"data":[{"id":"fake"}]}""",
            "/tokenize" when CanTokenize => Tokenize(body),
            "/v1/kv/stats" => Stats(),
            "/v1/chat/completions" => Chat(body),
            _ => null,
        };
        context.Response.StatusCode = answer is null ? 500 : 200;
        context.Response.SendChunked = true;
        await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(answer ?? "out of\nblocks"));
        context.Response.Close();
    }

    static string Tokenize(string body) =>
        JsonSerializer.Serialize(new { tokens = JsonDocument.Parse(body).RootElement.GetProperty("content").GetString()!.Split(' ') });

    string? Chat(string body)
    {
        Questions.Enqueue(JsonDocument.Parse(body).RootElement);
        return Questions.Count <= Patience ? Stream : null;
    }

    string? Stats()
    {
        if (!LeasedBlocks.TryPeek(out int leased))
            return null;
        if (LeasedBlocks.Count > 1)
            LeasedBlocks.TryDequeue(out leased);
        return JsonSerializer.Serialize(new { tiers = new[] { new { leased_blocks = leased }, new { leased_blocks = 0 } } });
    }
}
