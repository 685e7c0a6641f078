using Kvasir.Cli.Pull;
using Kvasir.Cli.Stores;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Pull;

/// <summary>A hub, and a cache into which is pulled.</summary>
sealed class PullFixture : IAsyncDisposable
{
    readonly TemporaryFolder _folder = new();

    PullFixture(FakeHub hub) => Hub = hub;

    public FakeHub Hub { get; }

    public string Cache => _folder["hub"];

    public string Repository => Path.Combine(Cache, "models--Org--Tiny");

    public string Snapshot => Path.Combine(Repository, "snapshots", FakeHub.Commit);

    public string Outside => _folder[""];

    /// <summary>How long was waited before something was tried again.</summary>
    public List<TimeSpan> Pauses { get; } = [];

    public static async Task<PullFixture> Start() => new(await FakeHub.Start());

    public Task<PullResult> Pull(string name = FakeHub.Repository, string? token = null, bool links = true, string revision = "main",
        string[]? include = null, double patience = 20, IProgress<PullProgress>? progress = null)
    {
        Assert.True(HubName.TryParse(name, out HubName? parsed));
        HubSettings settings = new(Hub.Endpoint, token, UsesLinks: links, Patience: TimeSpan.FromSeconds(patience));
        HubClient client = new(settings, (wait, _, _) =>
        {
            Pauses.Add(wait);
            return Task.CompletedTask;
        });
        return new HubPull(client, new HubCache(Cache), links, progress ?? new Nobody())
            .Run(parsed, revision, include ?? [], TestContext.Current.CancellationToken);
    }

    /// <summary>A pull that ends with one line.</summary>
    public async Task<string> Fails(string expected, string name = FakeHub.Repository, string? token = null, string revision = "main",
        string[]? include = null)
    {
        string message = (await Assert.ThrowsAsync<HubException>(() => Pull(name, token, revision: revision, include: include))).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        if (token is not null)
            Assert.DoesNotContain(token, message, StringComparison.Ordinal);
        return message;
    }

    /// <summary>Nothing that somebody would take for a model, or a part of one.</summary>
    public void HasNothing()
    {
        Assert.Empty(Directory.Exists(Snapshot) ? Directory.EnumerateFileSystemEntries(Snapshot) : []);
        Assert.False(File.Exists(Path.Combine(Repository, "refs", "main")));
        Assert.DoesNotContain(Blobs, name => !name.EndsWith(".incomplete", StringComparison.Ordinal));
    }

    public IEnumerable<string> Blobs => Directory.Exists(Path.Combine(Repository, "blobs"))
        ? Directory.EnumerateFiles(Path.Combine(Repository, "blobs")).Select(path => Path.GetFileName(path)) : [];

    public async ValueTask DisposeAsync()
    {
        await Hub.DisposeAsync();
        _folder.Dispose();
    }

    sealed class Nobody : IProgress<PullProgress>
    {
        public void Report(PullProgress value)
        {
        }
    }
}
