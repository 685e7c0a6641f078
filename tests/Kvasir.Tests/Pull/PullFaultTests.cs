using System.IO.Compression;
using System.Text.Json.Nodes;
using Kvasir.Cli.Pull;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Tests.Pull;

/// <summary>Whatever the hub, its hosts and the network do, what lies in the cache is what was meant, or nothing.</summary>
public sealed class PullFaultTests : IAsyncLifetime
{
    const int Size = 900_000;
    const string Token = "hf_secret";

    PullFixture _pull = null!;
    byte[] _bytes = [];

    FakeHub Hub => _pull.Hub;

    string Incomplete => Path.Combine(_pull.Repository, "blobs", FakeHub.Sha256(_bytes) + ".kvasir.incomplete");

    public async ValueTask InitializeAsync()
    {
        _pull = await PullFixture.Start();
        _bytes = Hub.Add("tiny-Q8_0.gguf", Size);
    }

    public ValueTask DisposeAsync() => _pull.DisposeAsync();

    [Fact]
    public async Task What_breaks_off_goes_on_where_it_ended()
    {
        Hub.OnCdn = (context, bytes) => FakeHub.From(context) < Size / 2 ? FakeHub.Cut(context, bytes, Size / 4) : Task.FromResult(false);
        await Succeeds();
        Assert.Contains(Hub.OfCdn, request => request.Range.Length > 0);
        Assert.All(_pull.Pauses, pause => Assert.InRange(pause.TotalSeconds, 1, 2)); // each got further
    }

    [Fact]
    public async Task What_was_given_up_goes_on_the_next_time()
    {
        Hub.OnCdn = (context, bytes) => FakeHub.From(context) == 0 ? FakeHub.Cut(context, bytes, Size / 2) : FakeHub.Cut(context, bytes, 0);
        await _pull.Fails("tried 5 times");
        _pull.HasNothing();
        long begun = new FileInfo(Incomplete).Length;
        Assert.InRange(begun, 1, Size - 1);
        Hub.OnCdn = null;
        Hub.Requests.Clear();
        Assert.Equal(Size - begun, (await Succeeds()).Fetched);
        Assert.Equal($"bytes={begun}-", Assert.Single(Hub.OfCdn).Range);
    }

    [Fact]
    public async Task A_beginning_of_other_bytes_is_done_without()
    {
        Begin([.. Enumerable.Repeat((byte)7, 1000)]);
        await Succeeds();
        Assert.Equal(["bytes=1000-", ""], Hub.OfCdn.Select(request => request.Range));
    }

    [Fact]
    public async Task A_beginning_longer_than_the_file_is_done_without()
    {
        Begin(new byte[Size + 1]);
        await Succeeds();
        Assert.Equal("", Assert.Single(Hub.OfCdn).Range);
    }

    [Fact]
    public async Task A_whole_beginning_is_checked_and_not_fetched()
    {
        Begin(_bytes);
        await Succeeds();
        Assert.Empty(Hub.OfCdn);
    }

    [Fact]
    public async Task A_host_that_sends_everything_again_is_right()
    {
        Begin(_bytes[..1000]);
        Hub.OnCdn = async (context, bytes) =>
        {
            await context.Response.Body.WriteAsync(bytes);
            return true;
        };
        Assert.Equal(Size, (await Succeeds()).Fetched);
    }

    [Theory, InlineData(416), InlineData(206)]
    public async Task A_host_that_cannot_go_on_is_asked_for_everything(int status)
    {
        Begin(_bytes[..1000]);
        Hub.OnCdn = async (context, bytes) =>
        {
            if (FakeHub.From(context) == 0)
                return false;
            context.Response.StatusCode = status;
            context.Response.Headers.ContentRange = status == 206 ? $"bytes 0-{Size - 1}/{Size}" : $"bytes */{Size}";
            await context.Response.Body.WriteAsync(status == 206 ? bytes : []);
            return true;
        };
        await Succeeds();
    }

    [Fact]
    public async Task Other_bytes_than_were_said_are_not_kept()
    {
        Hub.OnCdn = async (context, bytes) =>
        {
            await context.Response.Body.WriteAsync(Enumerable.Reverse(bytes).ToArray());
            return true;
        };
        await _pull.Fails($"expected {FakeHub.Sha256(_bytes)}; nothing of it is kept");
        _pull.HasNothing();
        Assert.Empty(_pull.Blobs);
    }

    [Fact]
    public async Task Small_files_are_checked_too()
    {
        Hub.Add("config.json", "{}"u8.ToArray());
        Hub.OnHub = async context =>
        {
            if (!context.Request.Path.Value!.EndsWith("config.json", StringComparison.Ordinal))
                return false;
            await context.Response.WriteAsync("[]");
            return true;
        };
        string message = (await Assert.ThrowsAsync<HubException>(() => _pull.Pull(include: ["config.json"]))).Message;
        Assert.Contains("config.json: what came has the hash ", message, StringComparison.Ordinal);
        _pull.HasNothing();
    }

    [Fact]
    public async Task More_bytes_than_were_said_end_it()
    {
        Hub.OnCdn = async (context, bytes) =>
        {
            for (int i = 0; i < 1000 && !context.RequestAborted.IsCancellationRequested; i++)
                await context.Response.Body.WriteAsync(bytes);
            return true;
        };
        await _pull.Fails("more bytes than there should be");
        _pull.HasNothing();
        Assert.InRange(new FileInfo(Incomplete).Length, 0, Size);
    }

    [Fact]
    public async Task Bytes_that_are_compressed_are_refused()
    {
        Hub.OnCdn = async (context, bytes) =>
        {
            context.Response.Headers.ContentEncoding = "gzip";
            await using GZipStream zip = new(context.Response.Body, CompressionLevel.Fastest);
            await zip.WriteAsync(bytes);
            return true;
        };
        await _pull.Fails("comes as gzip");
        _pull.HasNothing();
    }

    [Fact]
    public async Task A_signature_that_has_expired_is_asked_for_again()
    {
        int asked = 0;
        Hub.OnCdn = (context, _) => asked++ < 2 ? FakeHub.Refuse(context, 403) : Task.FromResult(false);
        await Succeeds();
        Assert.Equal(3, Hub.Requests.Count(request => request.Path.Contains("/resolve/", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(401, "GatedRepo", null, "/Org/Tiny is gated: accept its licence there, then set HF_TOKEN")]
    [InlineData(403, "GatedRepo", Token, "/Org/Tiny is gated: accept its licence there, with the account that HF_TOKEN is of")]
    [InlineData(401, "RepoNotFound", null, "/Org/Tiny: there is no such model, or it is private")]
    [InlineData(404, "RepoNotFound", Token, "there is no such model, or HF_TOKEN is of an account that may not see it")]
    [InlineData(404, "RevisionNotFound", null, "there is no such revision")]
    [InlineData(404, "EntryNotFound", null, "a file that was listed is not there")]
    [InlineData(401, null, Token, "HF_TOKEN is not accepted")]
    [InlineData(401, null, null, "asks who you are: set HF_TOKEN")]
    [InlineData(403, null, Token, "may not be read with this HF_TOKEN")]
    [InlineData(418, null, null, "answers 418")]
    [InlineData(404, "x\u001b[31m", null, "there is no such model")]
    public async Task A_refusal_is_one_sentence(int status, string? code, string? token, string expected)
    {
        Hub.OnHub = context => context.Request.Path.Value!.Contains("/resolve/", StringComparison.Ordinal)
            ? FakeHub.Refuse(context, status, code?.Replace("\u001b", "", StringComparison.Ordinal)) : Task.FromResult(false);
        await _pull.Fails(expected, token: token);
        _pull.HasNothing();
        Assert.Empty(_pull.Pauses); // nothing that would pass
    }

    [Fact]
    public async Task Whoever_asks_too_often_waits_as_long_as_he_is_told()
    {
        int asked = 0;
        Hub.OnHub = async context =>
        {
            if (asked++ >= 2)
                return false;
            context.Response.Headers.RetryAfter = "17";
            return await FakeHub.Refuse(context, 429);
        };
        await Succeeds();
        Assert.Equal([17, 17], _pull.Pauses.Select(pause => pause.TotalSeconds));
    }

    [Fact]
    public async Task Nobody_waits_for_hours()
    {
        Hub.OnHub = context =>
        {
            context.Response.Headers.RetryAfter = "86400";
            return FakeHub.Refuse(context, 429);
        };
        await _pull.Fails("it wants to be asked again in 1440 minutes");
    }

    [Fact]
    public async Task A_hub_that_is_down_is_tried_five_times()
    {
        Hub.OnHub = context => FakeHub.Refuse(context, 503);
        await _pull.Fails("answers 503 (ServiceUnavailable); tried 5 times");
        Assert.Equal([1, 2, 4, 8], _pull.Pauses.Select(pause => pause.TotalSeconds));
    }

    [Fact]
    public async Task A_host_that_falls_silent_is_asked_again()
    {
        int asked = 0;
        Hub.OnCdn = async (context, bytes) =>
        {
            if (asked++ > 0)
                return false;
            context.Response.ContentLength = bytes.Length;
            await context.Response.Body.WriteAsync(bytes.AsMemory(0, 1000));
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
        Assert.Equal(_bytes, File.ReadAllBytes((await _pull.Pull(patience: 0.5)).Path));
    }

    [Theory]
    [InlineData("../x.gguf"), InlineData("/etc/x.gguf"), InlineData("a/../../x.gguf"), InlineData("a\\x.gguf"), InlineData("a//x.gguf")]
    [InlineData("x\0.gguf"), InlineData("C:x.gguf"), InlineData("./x.gguf"), InlineData("x.gguf/."), InlineData("")]
    [InlineData("a/NUL.gguf")]
    [InlineData("com1"), InlineData("x\u001b[2J.gguf"), InlineData("x."), InlineData("...")]
    public async Task Paths_that_lead_elsewhere_are_refused(string path)
    {
        Hub.Listed = file => file["path"] = path;
        await _pull.Fails("expected one within the repository");
        Assert.Empty(Directory.EnumerateFileSystemEntries(_pull.Outside));
    }

    [Theory]
    [InlineData("""{"lfs": {"oid": "../../../x", "size": 5}}""", "a hash '../../../x', expected 64 digits")]
    [InlineData("""{"lfs": {"oid": "0000000000000000000000000000000000000000000000000000000000000000"}}""", "no size")]
    [InlineData("""{"lfs": {"oid": "0000000000000000000000000000000000000000000000000000000000000000", "size": -1}}""", "no size")]
    [InlineData("""{"lfs": null, "oid": "xyz"}""", "a hash 'xyz', expected 40 digits")]
    [InlineData("""{"lfs": {"oid": "0000000000000000000000000000000000000000000000000000000000000000", "size": 60000000000}}""",
        "in parts can be fetched")]
    public async Task Lists_are_not_trusted(string changes, string expected)
    {
        Hub.Listed = file =>
        {
            foreach ((string name, JsonNode? value) in JsonNode.Parse(changes)!.AsObject())
                file[name] = value?.DeepClone();
        };
        await _pull.Fails(expected);
        _pull.HasNothing();
    }

    [Fact]
    public async Task A_file_without_room_is_not_begun()
    {
        Hub.Listed = file =>
        {
            file["lfs"]!["size"] = 49_000_000_000;
            file["lfs"]!["oid"] = $"{file["path"]!.ToString().Length:x64}";
        };
        for (int i = 10; i < 1000; i++)
            Hub.Add($"{new string('x', i)}.txt", 1);
        await _pull.Fails(" are free, expected ", include: ["*.txt"]);
        Assert.Empty(Hub.OfCdn);
    }

    [Theory]
    [InlineData("{"), InlineData("[]"), InlineData("{\"branches\": 5}")]
    [InlineData("""{"branches": [{"name": "main", "targetCommit": "../x"}]}""")]
    [InlineData("""{"branches": [5, {"name": 5}]}""")]
    public async Task Refs_are_not_trusted(string refs)
    {
        Hub.OnHub = async context =>
        {
            if (context.Request.Path.Value!.EndsWith("/refs", StringComparison.Ordinal))
                await context.Response.WriteAsync(refs);
            return context.Response.HasStarted;
        };
        await _pull.Fails("");
        Assert.False(Directory.Exists(_pull.Repository));
    }

    [Theory]
    [InlineData("blobs"), InlineData("snapshots"), InlineData("refs"), InlineData("")]
    public async Task Links_out_of_the_cache_are_not_followed(string folder)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "making links takes a right there");
        string outside = Path.Combine(_pull.Outside, "outside"), link = Path.Combine(_pull.Repository, folder).TrimEnd('/');
        Directory.CreateDirectory(outside);
        Directory.CreateDirectory(Path.GetDirectoryName(link)!);
        Directory.CreateSymbolicLink(link, outside);
        await _pull.Fails("expected a folder of the cache");
        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
    }

    [Theory, InlineData("ftp://host/x"), InlineData("file:///etc/passwd")]
    [InlineData("/Org/Tiny/resolve/" + FakeHub.Commit + "/tiny-Q8_0.gguf")]
    public async Task Redirects_to_elsewhere_and_in_circles_end(string location)
    {
        Hub.OnHub = context =>
        {
            bool isFile = context.Request.Path.Value!.Contains("/resolve/", StringComparison.Ordinal);
            if (isFile)
                (context.Response.StatusCode, context.Response.Headers.Location) = (302, location);
            return Task.FromResult(isFile);
        };
        await _pull.Fails("redirect");
        _pull.HasNothing();
    }

    async Task<PullResult> Succeeds()
    {
        PullResult result = await _pull.Pull();
        Assert.Equal(_bytes, File.ReadAllBytes(result.Path));
        Assert.Equal([FakeHub.Sha256(_bytes)], _pull.Blobs);
        return result;
    }

    /// <summary>Puts there what another run has left.</summary>
    void Begin(byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Incomplete)!);
        File.WriteAllBytes(Incomplete, bytes);
    }
}
