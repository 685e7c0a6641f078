using System.CommandLine;
using System.Net;
using System.Runtime.InteropServices;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.RemoteTiers.Settings;
using Kvasir.Store;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir store</c>: a store in which many machines share keys and values. Nothing of it is loaded by other verbs.</summary>
static class StoreVerb
{
    const int DefaultPort = 6379;
    const long DefaultMemory = 4L << 30, DefaultDisk = 64L << 30;

    static readonly ListenFlags s_listen = new("a password", DefaultPort);
    static readonly Setting<long?> s_memory = new("--memory")
    {
        Description = "What the store's process may take, values and all else", Usual = ByteSize.Text(DefaultMemory),
        CustomParser = ByteSize.Parse, HelpName = "SIZE",
    };
    static readonly Setting<string?> s_disk = new("--disk")
    {
        Description = "Directory for what memory has no room for, while the store runs", Usual = "it is forgotten",
        HelpName = "DIR", IsPath = true,
    };
    static readonly Setting<long?> s_diskSize = new("--disk-size")
    {
        Description = "Most bytes there", Usual = ByteSize.Text(DefaultDisk), CustomParser = ByteSize.Parse, HelpName = "SIZE",
    };
    static readonly Setting<string?> s_password = new("--password-file")
    {
        Description = "File of the password that clients must show, for its owner only", HelpName = "FILE", IsPath = true,
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object a line instead: where it listens, and that it stops" };

    public static Command Create()
    {
        Command verb = new("store");
        s_listen.AddTo(verb);
        foreach (Option option in (Option[])[s_memory, s_disk, s_diskSize, s_password, s_json])
            verb.Options.Add(option);
        verb.SetAction(parsed => Run(Options(parsed), parsed.GetValue(s_json)));
        return verb;
    }

    static int Run(StoreOptions options, bool json)
    {
        using StoreServer store = new(options);
        TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration interrupt = ServeVerb.OnSignal(PosixSignal.SIGINT, stop),
            terminate = ServeVerb.OnSignal(PosixSignal.SIGTERM, stop);
        store.Start();
        if (json)
            VerbJson.Write(StoreStart.Of(options, store.Endpoint));
        else
            Say(options, store.Endpoint);
        stop.Task.Wait();
        if (json)
            VerbJson.Write(new ServeEvent("stopped"));
        else
            Terminal.Line("stopped; nothing of it stays");
        return ExitCode.Ok;
    }

    static void Say(StoreOptions options, IPEndPoint endpoint)
    {
        string disk = options.Directory is { } directory
            ? $"{ByteSize.Text(options.DiskBytes)} in {Printable.Line(directory, 4096)}" : "nothing on the disk";
        Terminal.Line($"store: redis://{endpoint}, {ByteSize.Text(options.MemoryBytes)} of memory, {disk}; "
            + $"try: kvasir serve --kv-remote redis://{Reached(endpoint)}{(options.Password is null ? "" : " --kv-remote-password-file FILE")}");
    }

    /// <summary>How others name it.</summary>
    static string Reached(IPEndPoint endpoint) =>
        endpoint.Address.Equals(IPAddress.Any) || endpoint.Address.Equals(IPAddress.IPv6Any)
            ? $"{Dns.GetHostName()}:{endpoint.Port}" : $"{endpoint}";

    static StoreOptions Options(ParseResult parsed)
    {
        string? disk = parsed.GetValue(s_disk);
        if (disk is null && parsed.GetResult(s_diskSize) is { Implicit: false })
            throw new UsageException("--disk-size: needs --disk DIR");
        StoreOptions options = new()
        {
            Address = s_listen.Address(parsed),
            Port = s_listen.Port(parsed),
            MemoryBytes = AtLeast(s_memory, StoreOptions.LeastMemoryBytes, parsed.GetValue(s_memory) ?? DefaultMemory),
            Directory = disk,
            DiskBytes = AtLeast(s_diskSize, StoreOptions.LeastDiskBytes, parsed.GetValue(s_diskSize) ?? DefaultDisk),
            Password = parsed.GetValue(s_password) is { } file ? SecretFile.ReadPassword(file) : null,
        };
        return options.Password is not null || IPAddress.IsLoopback(options.Address) ? options : throw new UsageException(
            $"--host {options.Address}: others can reach it, expected --password-file, or a loopback address such as 127.0.0.1");
    }

    static long AtLeast(Option option, long least, long bytes) => bytes >= least ? bytes
        : throw new UsageException($"{option.Name} {ByteSize.Text(bytes)}: expected at least {ByteSize.Text(least)}");
}

/// <summary>The first line of <c>store --json</c>, once the store listens.</summary>
/// <param name="Event"><c>started</c>.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="MemoryBytes">What its process may take.</param>
/// <param name="Disk">The directory for what memory has no room for; null without one.</param>
/// <param name="DiskBytes">Most bytes there.</param>
/// <param name="HasPassword">Whether clients must show one.</param>
sealed record StoreStart(string Event, string Address, long MemoryBytes, string? Disk, long? DiskBytes, bool HasPassword)
{
    public static StoreStart Of(StoreOptions options, IPEndPoint endpoint) => new("started", $"redis://{endpoint}", options.MemoryBytes,
        options.Directory, options.Directory is null ? null : options.DiskBytes, options.Password is not null);
}
