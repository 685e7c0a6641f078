using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Sessions;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Cli.Flags;

/// <summary>The flags that say where keys and values are kept.</summary>
sealed class KvFlags
{
    const long DefaultHost = 2L << 30;

    readonly Option<string?> _folder = CreateFolder();
    readonly Setting<long?> _disk = new("--kv-disk")
    {
        Description = "Most room on the disk for keys and values, of all models together",
        Usual = "8GiB",
        CustomParser = ByteSize.Parse,
        HelpName = "SIZE",
    };
    readonly Setting<long?> _host = new("--kv-host")
    {
        Description = "Memory behind the pool for keys and values",
        Usual = "2GiB",
        CustomParser = ByteSize.Parse,
        HelpName = "SIZE",
    };
    readonly Setting<string?> _hostCodec = new("--kv-host-type")
    {
        Description = "How that memory stores them: fewer bits hold more and lose a little; as --kv-type, or rotated, such as q4_0+h",
        Usual = "as the pool does",
        HelpName = "TYPE",
    };
    readonly KvTypeFlags _types = new();
    readonly Setting<long?> _device;
    readonly Option<string?> _session = new("--session")
    {
        Description = "Continue the conversation of this name, or begin it: its transcript is kept beside the keys and values",
        HelpName = "NAME",
    };
    readonly RemoteFlags _remote = new();
    readonly Setting<bool> _noPersist = new("--no-persist") { Description = "Keep nothing on the disk, and use nothing from there" };

    /// <param name="usualDevice">How large the pool is where nothing is said of it, in words.</param>
    public KvFlags(string usualDevice) =>
        _device = new("--kv-device")
        {
            Description = "Pool that attention reads", Usual = usualDevice, CustomParser = ByteSize.Parse, HelpName = "SIZE",
        };

    /// <summary>The directory, which verbs without an engine take too.</summary>
    public static Option<string?> CreateFolder(string description = "Directory of keys and values on the disk") =>
        new Setting<string?>("--kv-dir")
        {
            Description = description, Usual = "'kv' in Kvasir's cache directory", HelpName = "DIR", IsPath = true,
        };

    public void AddTo(Command verb)
    {
        AddTiersTo(verb);
        verb.Options.Add(_session);
    }

    /// <summary>Adds the flags of all tiers, for an engine that holds no conversations of its own.</summary>
    public void AddTiersTo(Command verb)
    {
        foreach (Option option in (Option[])[_folder, _disk, _host, _hostCodec, .. _types.All, _device, _noPersist])
            verb.Options.Add(option);
        _remote.AddTo(verb);
    }

    /// <summary>
    /// Adds the flags for the disk and the store, and those that make other keys: blocks of one codec are not those of another, nor those
    /// of a lossy host tier those of a lossless one.
    /// </summary>
    public void AddPlaceTo(Command verb)
    {
        verb.Options.Add(_folder);
        verb.Options.Add(_disk);
        foreach (Option option in (Option[])[_hostCodec, .. _types.All])
            verb.Options.Add(option);
        _remote.AddTo(verb);
    }

    /// <summary>The directory that is given, or one in the user's cache directory; null without a home.</summary>
    public static string? Folder(string? given)
    {
        if (given is { } folder)
            return folder.Length > 0 ? Path.GetFullPath(folder) : throw new UsageException("--kv-dir: the directory's name is empty");
        return CacheFolder.Find() is { } cache ? Path.Combine(cache, "kv") : null;
    }

    /// <summary>The session that a flag names; null without one.</summary>
    public Session? Session(ParseResult parsed)
    {
        if (parsed.GetValue(_session) is not { } name)
            return null;
        if (parsed.GetValue(_noPersist))
            throw new UsageException("--session keeps a conversation and --no-persist keeps nothing: choose one");
        return Sessions.Session.Open(Folder(parsed.GetValue(_folder))
            ?? throw new UsageException("--session: there is no home to keep it in; --kv-dir names a directory"), name);
    }

    /// <param name="parsed">The flags.</param>
    /// <param name="options">What else is wanted.</param>
    /// <param name="name">What the model is called.</param>
    /// <param name="model">The model.</param>
    public EngineOptions Apply(ParseResult parsed, EngineOptions options, string name, LanguageModel model) =>
        _types.Apply(parsed, _remote.Apply(parsed, options, name), model) with
        {
            KvDeviceBytes = parsed.GetValue(_device),
            KvHostBytes = parsed.GetValue(_host) ?? DefaultHost,
            KvHostCodec = HostCodec(parsed, model),
            KvDisk = parsed.GetValue(_noPersist) ? null : Disk(parsed),
        };

    /// <summary>Why the disk keeps nothing, where nobody has said that it should not; null when it does.</summary>
    public string? NothingIsKept(ParseResult parsed) => !parsed.GetValue(_noPersist) && Folder(parsed.GetValue(_folder)) is null
        ? "keys and values are not kept: there is no home directory to keep them in; --kv-dir names a directory"
        : null;

    DiskTierOptions? Disk(ParseResult parsed) => Folder(parsed.GetValue(_folder)) is { } folder
        ? new DiskTierOptions { Folder = folder, MaxBytes = parsed.GetValue(_disk) ?? DiskTierOptions.DefaultMaxBytes }
        : null;

    IKvCodec? HostCodec(ParseResult parsed, LanguageModel model)
    {
        if (KvTypeFlags.Read(parsed, _hostCodec) is not { } codec)
            return null;
        KvTypeFlags.Check(_hostCodec, codec, "keys", model, layer => layer.KeyDim);
        KvTypeFlags.Check(_hostCodec, codec, "values", model, layer => layer.ValueDim);
        return codec;
    }
}
