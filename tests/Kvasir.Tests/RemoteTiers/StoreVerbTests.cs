using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using StackExchange.Redis;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.RemoteTiers;

/// <summary><c>kvasir store</c>: two commands give two machines one cache.</summary>
public sealed partial class StoreVerbTests : IDisposable
{
    const string Prompt = "Once upon a time there was a store that kept what everybody computed, and nobody computed it again, in a rack.";
    const int MiB = 1 << 20;

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Two_processes_share_a_store_that_has_a_password_and_answer_without_it()
    {
        string password = Secret("open-sesame");
        KvasirProcess store = Start("store", "--port", "0", "--memory", "256MiB", "--password-file", password);
        string address = await Address(store);
        string[] ask = ["run", "--no-persist", "-n", "4", "-v", "--kv-remote", address, Prompt];
        KvasirResult first = Run([.. ask, "--kv-remote-password-file", password]).Succeeds();
        KvasirResult second = Run([.. ask, "--kv-remote-password-file", password]).Succeeds();
        Assert.DoesNotContain("remote", first.Errors, StringComparison.Ordinal);
        Assert.Contains("remote", second.Errors, StringComparison.Ordinal);
        KvasirResult wrong = Run([.. ask, "--kv-remote-password-file", Secret("sesame-street")]).Succeeds();
        Assert.Contains("shared keys and values: redis://127.0.0.1:", wrong.Errors, StringComparison.Ordinal);
        store.Dispose(); // kills it
        KvasirResult alone = Run([.. ask, "--kv-remote-password-file", password]).Succeeds();
        Assert.All((KvasirResult[])[first, second, wrong, alone], result => Assert.Equal(first.Answer, result.Answer));
        Assert.All((KvasirResult[])[first, second, wrong, alone],
            result => Assert.DoesNotContain("sesame", result.Errors, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_process_stays_within_its_memory_and_goes_cleanly()
    {
        using KvasirProcess store = Start("store", "--port", "0", "--memory", "256MiB");
        Fill(await Address(store), 448, keeps: 60..200);
        if (OperatingSystem.IsLinux())
        {
            string status = await File.ReadAllTextAsync($"/proc/{store.Id}/status", TestContext.Current.CancellationToken);
            Assert.InRange(long.Parse(Regex.Match(status, @"VmHWM:\s+(\d+) kB").Groups[1].Value) >> 10, 128, 310);
        }
        store.Interrupt();
        Assert.EndsWith("stopped; nothing of it stays\n", store.Finish().Succeeds().Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_holds_what_memory_does_not_and_nothing_stays_there()
    {
        string disk = _folder["disk"];
        using KvasirProcess store = Start("store", "--json", "--port", "0", "--memory", "256MiB", "--disk", disk, "--disk-size", "512MiB");
        JsonElement start = JsonElement.Parse((await store.Output.ReadLineAsync(TestContext.Current.CancellationToken))!);
        Assert.Equal(("started", 256L * MiB, 512L * MiB, false), (start.GetProperty("event").GetString(),
            start.GetProperty("memory_bytes").GetInt64(), start.GetProperty("disk_bytes").GetInt64(), start.GetProperty("has_password").GetBoolean()));
        Run("store", "--port", "0", "--disk", disk, "--disk-size", "512MiB").Fails(1, disk);
        Fill(start.GetProperty("address").GetString()!, 224, keeps: 224..224);
        store.Interrupt();
        Assert.Equal("{\"event\":\"stopped\"}\n", store.Finish().Answer);
        Assert.Empty(Directory.GetFileSystemEntries(disk));
    }

    [Fact]
    public async Task Clients_change_nothing_of_the_server()
    {
        using KvasirProcess store = Start("store", "--port", "0", "--memory", "256MiB");
        using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync((await Address(store))["redis://".Length..] + ",allowAdmin=true");
        foreach (string[] command in (string[][])[["SAVE"], ["BGSAVE"], ["CONFIG", "SET", "maxclients", "1"], ["ACL", "SETUSER", "default", "off"],
            ["MODULE", "LOADCS", "x"], ["REPLICAOF", "127.0.0.1", "1"], ["DEBUG", "PANIC"], ["FLUSHALL"]])
            Assert.StartsWith("NOPERM", (await Assert.ThrowsAsync<RedisServerException>(
                () => connection.GetDatabase().ExecuteAsync(command[0], command[1..]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_wrong_is_one_line()
    {
        using KvasirProcess store = Start("store", "--port", "0", "--memory", "256MiB");
        string port = new Uri(await Address(store)).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Run("store", "--port", port).Fails(1, $"cannot listen on 127.0.0.1:{port}: ");
        Run("store", "--memory", "8MiB").Fails(2, "--memory 8.0 MiB: expected at least 256.0 MiB");
        Run("store", "--host", "0.0.0.0").Fails(2, "--host 0.0.0.0: others can reach it, expected --password-file");
        Run("store", "--password-file", _folder["nothing"]).Fails(1, _folder["nothing"]);
        Run("store", "--disk", _folder.Write("file", RawGguf.Bytes("x"))).Fails(1, _folder["file"]);
    }

    /// <summary>Writes values of a MiB, and looks how many are there.</summary>
    static void Fill(string address, int count, Range keeps)
    {
        using ConnectionMultiplexer connection = ConnectionMultiplexer.Connect(address["redis://".Length..]);
        IDatabase database = connection.GetDatabase();
        byte[] value = new byte[MiB - 4096];
        for (int i = 0; i < count; i++)
        {
            BitConverter.TryWriteBytes(value, i);
            database.StringSet($"v:{i}", value, TimeSpan.FromHours(1));
        }
        int[] there = [.. Enumerable.Range(0, count).Where(i => database.KeyExists($"v:{i}"))];
        Assert.InRange(there.Length, keeps.Start.Value, keeps.End.Value);
        Assert.All(there.Where(i => i % 40 == 0), i => Assert.Equal(i, BitConverter.ToInt32((byte[])database.StringGet($"v:{i}")!)));
        Assert.Contains(count - 1, there); // the oldest are forgotten
    }

    string Secret(string text)
    {
        string path = _folder.Write($"{Guid.NewGuid():n}", RawGguf.Bytes(text + "\n"));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead);
        return path;
    }

    static async Task<string> Address(KvasirProcess store) => (await store.Note(Listens())).Groups[1].Value;

    [GeneratedRegex(@"store: (redis://127\.0\.0\.1:\d+), 256\.0 MiB of memory, nothing on the disk; try: kvasir serve --kv-remote redis://.*\n")]
    private static partial Regex Listens();
}
