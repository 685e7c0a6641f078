using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Kvasir.Cli.Configuration;
using Kvasir.Cluster.Membership;
using Kvasir.Cluster.Peers;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Templates;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Tiers;
using Kvasir.Server;
using Kvasir.Server.Security;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir serve</c>: a model behind OpenAI's and Anthropic's protocols, for many at once.</summary>
static class ServeVerb
{
    const int DefaultPort = 8080;
    const int UsualWindows = 4; // long conversations at the same time, of models whose layers have windows
    const long RoomInContexts = 8; // the pool that many conversations share, unless that is much of the machine

    static readonly ListenFlags s_listen = new("an API key", DefaultPort);
    static readonly Setting<string[]> s_keys = new("--api-key")
    {
        Description = "A key that clients must show; may be given several times, or with commas. Better in KVASIR_API_KEY or a file: others see flags",
        HelpName = "KEY",
        IsSecret = true,
    };
    static readonly Setting<string?> s_keyFile = new("--api-key-file")
    {
        Description = "File of keys, a line each: KEY [infer,metrics,kv-admin] [OWNER]",
        HelpName = "FILE",
        IsPath = true,
    };
    static readonly Setting<string[]> s_names = new("--allowed-host")
    {
        Description = "Another name that this server goes by", HelpName = "NAME",
    };
    static readonly Setting<string[]> s_origins = new("--cors-origin", "--cors-origins")
    {
        Description = "Origins of pages that may ask, with commas between, such as https://chat.example.org or http://localhost:*; 'local' "
            + "for the pages of this machine, which with a key may anyway; '*', with a key, for all",
        HelpName = "ORIGIN",
    };
    static readonly Setting<string?> s_prefix = new("--api-prefix")
    {
        Description = "What stands before all paths, such as /llm", HelpName = "PATH",
    };
    static readonly Setting<string[]> s_alias = new("--alias", "-a", "--served-model-name")
    {
        Description = "Names under which the model is served, with commas between; the first is the one that answers have",
        Usual = "its own",
        HelpName = "NAME,…",
    };
    static readonly Setting<string[]> s_tags = new("--tags")
    {
        Description = "Words that the list of models has beside the model, with commas between", HelpName = "WORD,…",
    };
    static readonly Setting<bool> s_anyModel = new("--any-model")
    {
        Description = "Answer whatever name a request calls the model by, and call it so",
    };
    static readonly Setting<int?> s_parallel = new("--parallel", "-np")
    {
        Description = "Most completions that compute at the same time",
        Usual = "64",
        CustomParser = Number.ParseOptionalWithin(1, int.MaxValue),
        HelpName = "N",
    };
    static readonly Setting<int?> s_queue = new("--queue")
    {
        Description = "Most completions that wait, before one more is told to come later",
        Usual = "1024",
        CustomParser = Number.ParseOptionalWithin(1, int.MaxValue),
        HelpName = "N",
    };
    static readonly Setting<string?> s_retainAllow = new("--kv-retain-allow")
    {
        Description = "Policies that requests may name in place of --kv-retain's, with semicolons between; or any",
        Usual = "only none, which is always allowed",
        HelpName = "POLICY;…",
    };
    static readonly Setting<bool> s_text = new("--kv-text") { Description = "Show those who may see the cache the texts in it" };
    static readonly Setting<string?> s_compat = new("--metrics-compat")
    {
        Description = "Give metrics another server's names too: vllm", HelpName = "NAME",
    };
    static readonly Setting<string?> s_otlp = new("--otlp-endpoint")
    {
        Description = "Send traces there by OTLP, and what a server measures; OTEL_EXPORTER_OTLP_ENDPOINT says the same",
        HelpName = "URL",
        OtherVariables = ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    };
    static readonly Option<string?> s_record = new("--record")
    {
        Description = "Record requests to a new file, for `kvasir simulate`: counts and salted hashes, no text", HelpName = "FILE",
    };
    static readonly Setting<string?> s_slotFolder = new("--slot-save-path")
    {
        Description = "Directory in which /slots saves keys and values under names that clients give", HelpName = "DIR", IsPath = true,
    };
    static readonly Setting<bool> s_noSlots = new("--no-slots") { Description = "Tell nobody at /slots what runs" };
    static readonly Setting<bool> s_noPage = new("--no-ui", "--no-webui") { Description = "Have no dashboard at /" };
    static readonly Setting<bool> s_quiet = new("--quiet", "-q") { Description = "Say nothing of single requests" };
    static readonly Option<bool> s_json = new("--json")
    {
        Description = "Print one JSON object a line instead: where it listens, every request when it is over, and that it stops",
    };
    static readonly ClusterFlags s_cluster = new();
    static readonly EngineFlags s_flags = new(
        $"room for {RoomInContexts} contexts of at most {Inference.EngineOptions.DefaultContext} tokens, or a quarter of the machine's "
            + "memory if that is less", "the model's, as far as pool, host and disk have room", serves: true);

    public static Command Create()
    {
        Command verb = new("serve");
        s_listen.AddTo(verb);
        foreach (Option option in (Option[])[s_keys, s_keyFile, s_names, s_origins, s_prefix, s_alias, s_tags, s_anyModel, s_parallel,
            s_queue, s_retainAllow, s_text, s_compat, s_otlp, s_record, s_slotFolder, s_noSlots, s_noPage, s_quiet, s_json])
            verb.Options.Add(option);
        s_cluster.AddTo(verb);
        s_flags.AddServingTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        s_flags.Llama.Tell(parsed);
        ServerOptions options = Options(parsed);
        using ClusterPlace place = s_cluster.Read(parsed, s_listen.Address(parsed), options.Port);
        options = options with { NodeName = place.Name, Role = place.Role, PrefillNodes = place.PrefillNodes };
        if (place.Name is not null && options.PathPrefix.Length > 0)
            throw new UsageException($"{s_prefix.Name}: routers know the paths of nodes without a prefix");
        using LoadingServer? loading = options.Port == 0 ? null : LoadingServer.Start(options);
        using LanguageModel model = s_flags.Load(parsed);
        Dictionary<string, double> advice = [];
        options = options with { Defaults = s_flags.Defaults(parsed, model, (name, value) => advice[name] = value) };
        using VerbEngine host = new(model, place.Join(EngineOptions(parsed, model, place)), verbose: true);
        InferenceEngine engine = host.Engine;
        RunVerb.WarnBeyondTraining(engine);
        s_flags.Template.WarnWithout(parsed, model);
        TellAdvice(advice);
        engine.WarmUp();
        using PrefillServer? others = place.Listen(engine);
        loading?.Dispose();
        return Serve(engine, options, address => place.Belong(address, others), parsed.GetValue(s_json)).GetAwaiter().GetResult();
    }

    /// <summary>What is taken of the makers' advice, by the names of requests.</summary>
    static void TellAdvice(Dictionary<string, double> advice)
    {
        if (advice.Count > 0)
            Terminal.Line("sampling where requests say nothing, as the model's makers advise: " + string.Join(", ", advice.Select(one =>
                string.Create(CultureInfo.InvariantCulture, $"{Field(one.Key)} {one.Value:0.####}"))));

        static string Field(string name) => name switch { "temp" => "temperature", "penalty_repeat" => "repeat_penalty", _ => name };
    }

    static async Task<int> Serve(InferenceEngine engine, ServerOptions options, Func<string, ClusterMembership?> belong, bool json)
    {
        await using KvasirServer server = new(engine, options);
        TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, stop), terminate = OnSignal(PosixSignal.SIGTERM, stop);
        await server.Start();
        using ClusterMembership? membership = belong(server.Address);
        if (json)
            VerbJson.Write(ServeStart.Of(engine, options, server.Address + options.PathPrefix));
        else
            Say(engine, options, server.Address + options.PathPrefix);
        await stop.Task;
        Tell("stopping", $"stopping: requests that run have {options.ShutdownTime.TotalSeconds:N0} s to end; again to stop at once");
        await server.Stop();
        Tell("stopped", "stopped"); // what is kept is known when the engine is closed, which says what is not
        return ExitCode.Ok;

        void Tell(string name, string text)
        {
            if (json)
                VerbJson.Write(new ServeEvent(name));
            else
                Terminal.Line(text);
        }
    }

    /// <summary>The first signal asks for the end, the second has it.</summary>
    internal static PosixSignalRegistration OnSignal(PosixSignal signal, TaskCompletionSource stop) =>
        PosixSignalRegistration.Create(signal, context => context.Cancel = stop.TrySetResult());

    static void Say(InferenceEngine engine, ServerOptions options, string address)
    {
        string id = string.Join(", ", options.Aliases.Prepend(options.ModelId ?? KvasirServer.NameOf(engine)))
            + (options.AnswersToAllNames ? " and any other name" : "");
        string disk = ContentOf(engine, Tier.Disk) is { } kept
            ? $"{kept.Directory}, up to {ByteSize.Text(kept.CapacityBytes)}, {kept.Blocks:N0} blocks there"
            : "nowhere on the disk";
        int blocks = engine.Cache.Device.Counts.Total;
        string streamed = engine.Context <= (long)blocks * engine.Layout.BlockTokens ? ""
            : $" for {blocks * engine.Layout.BlockTokens:N0} tokens, the rest is streamed";
        int trained = engine.Model.Config.Context;
        string less = engine.Context < trained ? $" of {trained:N0}" : "";
        Terminal.Line($"serving {id} at {address} (context {engine.Context:N0}{less}, pool "
            + $"{ByteSize.Text(blocks * engine.Layout.StrideBytes + engine.Room.WindowBytes)}{streamed})");
        if (MachineIdentity.AmxRefusal is { } refusal)
            Terminal.Line($"the processor has AMX, which is not used: {refusal}");
        Terminal.Line($"keys and values: {disk}");
        if (ContentOf(engine, Tier.Remote) is { } shared)
            Terminal.Line($"shared keys and values: {shared.Directory}");
        if (options.RecordTo is { } file)
            Terminal.Line($"recording to {Formats.Printable.Line(file, 4096)}");
        if (options.HasDashboard)
            Terminal.Line($"dashboard: {address}/");
        string key = options.ApiKeys.Count > 0 ? " -H \"Authorization: Bearer $KVASIR_API_KEY\"" : "";
        Terminal.Line($"try: curl {address}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{{\"messages\": [{{\"role\": "
            + $"\"user\", \"content\": \"Who are you?\"}}]}}'");
    }

    /// <summary>What a tier that can be written holds.</summary>
    internal static TierContent? ContentOf(InferenceEngine engine, Tier tier) =>
        engine.Cache.Tiers.FirstOrDefault(other => other.Tier == tier && other.CanWrite)?.Content();

    /// <summary>Where telemetry goes.</summary>
    internal static Uri? Collector(string? address) => string.IsNullOrEmpty(address) ? null
        : Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) ? uri
        : throw new UsageException($"--otlp-endpoint '{address}': expected an address such as http://localhost:4317");

    static ServerOptions Options(ParseResult parsed)
    {
        string[] names = Listed(parsed, s_alias);
        return new ServerOptions
        {
            Address = s_listen.Address(parsed),
            Port = s_listen.Port(parsed),
            PathPrefix = parsed.GetValue(s_prefix)?.TrimEnd('/') ?? "",
            ApiKeys = Keys(parsed),
            AllowedHosts = parsed.GetValue(s_names) ?? [],
            AllowedOrigins = Listed(parsed, s_origins),
            ModelId = names.FirstOrDefault(),
            Aliases = [.. names.Skip(1)],
            Tags = Listed(parsed, s_tags),
            AnswersToAllNames = parsed.GetValue(s_anyModel),
            ChatTemplate = s_flags.Template.Read(parsed),
            Retention = s_flags.Retention(parsed),
            AllowedRetention = AllowedRetention(parsed.GetValue(s_retainAllow)),
            ShowsText = parsed.GetValue(s_text),
            VllmMetrics = parsed.GetValue(s_compat) switch
            {
                null => false,
                "vllm" => true,
                var other =>
                throw new UsageException($"--metrics-compat '{other}': expected vllm")
            },
            OtlpEndpoint = Collector(parsed.GetValue(s_otlp)),
            RecordTo = parsed.GetValue(s_record),
            SlotFolder = SlotFolder(parsed),
            ShowsSlots = !parsed.GetValue(s_noSlots),
            HasDashboard = !parsed.GetValue(s_noPage),
            Log = parsed.GetValue(s_json) ? Console.Out.WriteLine : Terminal.Line,
            LogsRequests = !parsed.GetValue(s_quiet),
            LogsJson = parsed.GetValue(s_json),
        };
    }

    /// <summary>The values of a flag that may have several, with commas between.</summary>
    static string[] Listed(ParseResult parsed, Option<string[]> flag) =>
        [.. (parsed.GetValue(flag) ?? []).SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries))];

    /// <summary>The directory that a flag names, made if it is not there, for its owner only; null without the flag.</summary>
    static string? SlotFolder(ParseResult parsed)
    {
        if (parsed.GetValue(s_slotFolder) is not { } folder)
            return null;
        if (!Directory.Exists(folder) && OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else if (!Directory.Exists(folder))
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return Path.GetFullPath(folder);
    }

    /// <summary>The policies that a flag names; null for any.</summary>
    static RetentionPolicy[]? AllowedRetention(string? policies) => policies switch
    {
        null => [],
        "any" => null,
        _ => [.. policies.Split(';').Select(text => Policy(text.Trim())).OfType<RetentionPolicy>()],
    };

    static RetentionPolicy? Policy(string text)
    {
        try
        {
            return RetentionPolicy.Parse(text);
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"{s_retainAllow.Name}: {e.Message}");
        }
    }

    static List<ApiKey> Keys(ParseResult parsed)
    {
        List<ApiKey> keys = [.. (parsed.GetValue(s_keys) ?? []).SelectMany(keys => keys.Split(',')).Select(key => new ApiKey(key))];
        if (parsed.GetValue(s_keyFile) is not { } file)
            return keys;
        keys.AddRange(ApiKey.ReadFile(file));
        ConfigFile.WarnOfReaders(file, "holds keys");
        return keys;
    }

    /// <summary>
    /// What is asked for or, without that, all that the tiers have room for; less where a disk has less free than it may take.
    /// </summary>
    static int? Context(LanguageModel model, EngineOptions options)
    {
        int fits = InferenceEngine.ContextFor(model, options, out bool isShort);
        if (isShort)
            Terminal.Line($"warning: {Formats.Printable.Line(options.KvDisk!.Folder, 4096)}: {options.KvDisk.FreeBytes():N0} bytes may be taken "
                + $"of what is free there, fewer than the {options.KvDisk.MaxBytes:N0} of --kv-disk: the context is {fits:N0} tokens");
        return options.Context is null || isShort ? fits : options.Context;
    }

    static EngineOptions EngineOptions(ParseResult parsed, LanguageModel model, ClusterPlace place)
    {
        EngineOptions options = s_flags.Engine(parsed, model);
        options = options with
        {
            MaxRunning = parsed.GetValue(s_parallel) ?? options.MaxRunning,
            MaxWaiting = parsed.GetValue(s_queue) ?? options.MaxWaiting,
        };
        bool makesViews = options.KvRetention is not null || AllowedRetention(parsed.GetValue(s_retainAllow)) is not { Length: 0 };
        options = options with
        {
            KvWholeBlocks = makesViews || place.MovesBlocks,
            KvWindows = Math.Min(options.MaxRunning, UsualWindows),
        };
        EngineOptions whole = options; // what the pool has room for, where nothing is said of it
        if (options.KvReuse == KvReuse.On)
            options = options with { Context = Context(model, options) };
        if (options.KvDeviceBytes is not null)
            return options;
        long perContext = InferenceEngine.PoolBytes(model, whole), quarter = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4,
            views = makesViews ? InferenceEngine.ViewBytes(model, whole) : 0;
        return options with { KvDeviceBytes = Math.Max(perContext, Math.Min(RoomInContexts * perContext, quarter)) + views };
    }
}

/// <summary>The first line of <c>serve --json</c>, once the server listens.</summary>
/// <param name="Event"><c>started</c>.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="Model">The name under which the model is served.</param>
/// <param name="ContextTokens">Tokens that a request may have.</param>
/// <param name="PoolBytes">The pool that attention reads.</param>
/// <param name="KvDir">The directory of keys and values; null where nothing is kept.</param>
/// <param name="KvDiskBytes">Most bytes there.</param>
/// <param name="KvBlocks">Blocks that are there already.</param>
/// <param name="KvRemote">The store in which they are shared; null without one.</param>
sealed record ServeStart(string Event, string Address, string Model, int ContextTokens, long PoolBytes, string? KvDir, long? KvDiskBytes,
    long? KvBlocks, string? KvRemote)
{
    public static ServeStart Of(InferenceEngine engine, ServerOptions options, string address)
    {
        TierContent? kept = ServeVerb.ContentOf(engine, Tier.Disk);
        return new(
            "started", address, options.ModelId ?? KvasirServer.NameOf(engine), engine.Context,
            engine.Cache.Device.Counts.Total * engine.Layout.StrideBytes + engine.Room.WindowBytes,
            kept?.Directory, kept?.CapacityBytes, kept?.Blocks, ServeVerb.ContentOf(engine, Tier.Remote)?.Directory);
    }
}

/// <summary>A later line: <c>stopping</c>, when the server takes no more requests, and <c>stopped</c>, the last.</summary>
sealed record ServeEvent(string Event);
