using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Kvasir.Server.Http;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>Large bodies take turns.</summary>
public sealed class BodyRoomTests
{
    const int Requests = 64, Megabyte = 1 << 20;

    const string Text = "Finn has nine rabbits. ";

    /// <summary>Fifteen megabytes each, of different kinds, and whether they are answered.</summary>
    static readonly (string Path, string Body, HttpStatusCode Status)[] s_bodies =
    [
        ("/v1/completions", Fill("{\"prompt\": \"", Text, "\"}"), HttpStatusCode.BadRequest),
        ("/v1/completions", Fill("{\"prompt\": [1", ",1", "]}"), HttpStatusCode.BadRequest),
        ("/v1/completions", Fill("{\"prompt\": \"Once\", \"max_tokens\": 1, \"junk\": \"", Text, "\"}"), HttpStatusCode.OK),
        ("/v1/completions", Fill("{\"prompt\": \"Once\", \"max_tokens\": 1, \"junk\": [1", ", \"1234567890\"", "]}"), HttpStatusCode.OK),
        ("/v1/embeddings", Fill("{\"input\": [\"a\"", $", \"{new string('x', 8000)}\"", "]}"), HttpStatusCode.BadRequest),
        ("/v1/chat/completions", Fill(Said, Text, "\"}]}"), HttpStatusCode.BadRequest),
        ("/tokenize", Fill("{\"content\": \"", Text, "\"}"), HttpStatusCode.BadRequest),
        ("/detokenize", Fill("{\"tokens\": [1", ",1", "]}"), HttpStatusCode.BadRequest),
    ];

    const string Said = "{\"messages\": [{\"role\": \"user\", \"content\": \"";

    static string Fill(string begin, string middle, string end) =>
        begin + string.Concat(Enumerable.Repeat(middle, 15 * Megabyte / middle.Length)) + end;

    [Fact]
    public async Task Sixty_four_requests_of_fifteen_megabytes_at_once_take_less_than_a_hundred()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "what a process takes of memory is asked of Linux");
        using TemporaryFolder cache = new();
        using KvasirProcess server =
            KvasirProcess.StartWith(cache["cache"], "serve", "--port", "0", "-c", "1024", "--no-persist", "--quiet");
        string address = (await server.Note(new Regex(@"http://\S+:\d+"))).Value;
        using HttpClient client = new() { BaseAddress = new Uri(address) };
        byte[][] bodies = [.. s_bodies.Select(body => Encoding.UTF8.GetBytes(body.Body))];
        await Task.WhenAll(s_bodies.Select(body => Ask(client, body.Path, "{}"u8.ToArray(), null))); // what first requests take
        long before = Status(server.Id, "VmRSS");
        await File.WriteAllTextAsync($"/proc/{server.Id}/clear_refs", "5", TestContext.Current.CancellationToken); // the peak begins anew
        await Task.WhenAll(Enumerable.Range(0, Requests).Select(i =>
            Ask(client, s_bodies[i % bodies.Length].Path, bodies[i % bodies.Length], s_bodies[i % bodies.Length].Status)));
        long peak = Status(server.Id, "VmHWM") - before, after = Status(server.Id, "VmRSS") - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"{peak >> 20} MiB more at most, {after >> 20} MiB afterwards");
        Assert.InRange(peak, 0, 100L * Megabyte);
        server.Interrupt();
    }

    static async Task Ask(HttpClient client, string path, byte[] body, HttpStatusCode? expected)
    {
        using ByteArrayContent content = new(body);
        using HttpResponseMessage response = await client.PostAsync(path, content, TestContext.Current.CancellationToken);
        string answer = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(expected is null || expected == response.StatusCode,
            $"{path}: {response.StatusCode} {answer[..Math.Min(300, answer.Length)]}");
    }

    static long Status(int process, string name) =>
        long.Parse(Regex.Match(File.ReadAllText($"/proc/{process}/status"), name + @":\s+(\d+) kB").Groups[1].Value) << 10;

    [Fact]
    public async Task Room_is_given_back_and_whoever_leaves_the_queue_keeps_none()
    {
        using BodyRoom room = new(4 * Megabyte);
        using IDisposable three = await room.Take(3 * Megabyte, ServerFixture.Patience);
        using CancellationTokenSource leaves = new();
        Task<IDisposable> two = room.Take(2 * Megabyte, leaves.Token), one = room.Take(1, ServerFixture.Patience);
        Assert.False(two.IsCompleted || one.IsCompleted); // in the order in which they came
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => two);
        (await one).Dispose();
        three.Dispose();
        three.Dispose(); // once is enough
        using IDisposable all = await room.Take(long.MaxValue / 2, ServerFixture.Patience);
        Assert.False(room.Take(1, leaves.Token).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Many_values_are_refused_however_short_they_are()
    {
        await using ServerFixture server = await ServerFixture.Start();
        string body = Fill("{\"prompt\": \"Once\", \"junk\": [1", ",1", "]}");
        using StringContent content = new(body);
        using HttpResponseMessage response = await server.Client.PostAsync("/v1/completions", content, ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("the body has more than 1,300,000 values", await response.Content.ReadAsStringAsync(ServerFixture.Patience),
            StringComparison.Ordinal);
    }
}
