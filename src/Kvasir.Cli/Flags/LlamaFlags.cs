using System.CommandLine;
using System.CommandLine.Parsing;

namespace Kvasir.Cli.Flags;

/// <summary>
/// Flags of llama-server and llama-cli that people have in their scripts and that have no counterpart here. What says how to compute
/// changes no answer, and is ignored with one line that names it; what would change answers is refused.
/// </summary>
sealed class LlamaFlags
{
    /// <summary>Names of one flag, and how many values it has at most.</summary>
    static readonly (string Names, int Values)[] s_ignored =
    [
        ("-ngl --gpu-layers --n-gpu-layers", 1), ("-fa --flash-attn", -1), ("--jinja", 0), ("--no-jinja", 0), ("-b --batch-size", 1),
        ("-ub --ubatch-size", 1), ("-tb --threads-batch", 1), ("--mlock", 0), ("--mmap", 0), ("--no-mmap", 0), ("-lm --load-mode", 1),
        ("-dio --direct-io", 0), ("-ndio --no-direct-io", 0), ("--numa", 1), ("-sm --split-mode", 1),
        ("-ts --tensor-split", 1), ("-mg --main-gpu", 1), ("-ot --override-tensor", 1), ("-cmoe --cpu-moe", 0), ("-ncmoe --n-cpu-moe", 1),
        ("-fit --fit", -1), ("-fitt --fit-target", 1), ("-fitc --fit-ctx", 1), ("--rpc", 1), ("-kvo --kv-offload", 0),
        ("-nkvo --no-kv-offload", 0), ("--op-offload", 0), ("--no-op-offload", 0), ("--repack", 0), ("-nr --no-repack", 0), ("--no-host", 0),
        ("--check-tensors", 0), ("--swa-full", 0), ("-dt --defrag-thold", 1), ("--perf", 0), ("--no-perf", 0), ("--warmup", 0),
        ("--no-warmup", 0), ("-C --cpu-mask", 1), ("-Cr --cpu-range", 1), ("--cpu-strict", 1), ("--prio", 1), ("--poll", 1),
        ("-Cb --cpu-mask-batch", 1), ("-Crb --cpu-range-batch", 1), ("--cpu-strict-batch", 1), ("--prio-batch", 1), ("--poll-batch", 1),
        ("--keep", 1), ("-bs --backend-sampling --backend_sampling", 0), ("--log-disable", 0), ("--log-file", 1), ("--log-colors", -1),
        ("-lv --verbosity --log-verbosity", 1), ("--log-prefix", 0), ("--no-log-prefix", 0), ("--log-timestamps", 0),
        ("--no-log-timestamps", 0), ("--color", -1), ("--simple-io", 0), ("-cnv --conversation", 0), ("-st --single-turn", 0),
        ("--no-display-prompt", 0), ("--no-mmproj --no-mmproj-auto", 0), ("--mmproj-offload", 0), ("--no-mmproj-offload", 0),
        ("-tbd --threads-batch-draft --spec-draft-threads-batch", 1),
        ("-td --threads-draft --spec-draft-threads", 1), ("-ngld --gpu-layers-draft --n-gpu-layers-draft --spec-draft-ngl", 1),
        ("-devd --device-draft --spec-draft-device", 1),
    ];

    static readonly (string Names, int Values)[] s_ignoredByServe =
    [
        ("-cb --cont-batching", 0), ("-nocb --no-cont-batching", 0), ("--cache-reuse", 1), ("--cache-prompt", 0), ("--no-cache-prompt", 0),
        ("-cram --cache-ram", 1), ("-ctxcp --ctx-checkpoints --swa-checkpoints", 1), ("-cms --checkpoint-min-step", 1),
        ("-kvu --kv-unified", 0), ("-no-kvu --no-kv-unified", 0), ("--cache-idle-slots", 0), ("--no-cache-idle-slots", 0),
        ("-sps --slot-prompt-similarity", 1), ("--verbose-prompt", 0),
        ("-to --timeout", 1), ("--threads-http", 1), ("--reuse-port", 0), ("--sse-ping-interval", 1),
        ("--sleep-idle-seconds", 1), ("--props", 0), ("--embedding --embeddings", 0),
        ("--ui-config --webui-config", 1), ("--ui-config-file --webui-config-file", 1), ("-lcs --lookup-cache-static", 1),
        ("-lcd --lookup-cache-dynamic", 1),
    ];

    /// <summary>What is so without them.</summary>
    static readonly string[] s_held =
        ["--metrics", "--slots", "--ui --webui", "--offline", "--no-context-shift", "--prefill-assistant", "--no-skip-chat-parsing",
        "--no-cors-credentials", "-no-ag --no-agent", "--no-ui-mcp-proxy --no-webui-mcp-proxy"];

    /// <summary>Names of flags that are refused for one reason.</summary>
    static readonly (string Names, string Why)[] s_refused =
    [
        ("--lora --lora-scaled --lora-init-without-apply", "there are no adapters here: merge them into the model"),
        ("--control-vector --control-vector-scaled --control-vector-layer-range", "there are no control vectors here"),
        ("--rope-scaling --rope-scale --rope-freq-base --rope-freq-scale --yarn-orig-ctx --yarn-ext-factor --yarn-attn-factor "
            + "--yarn-beta-slow --yarn-beta-fast", "a model's positions are those of its file"),
        ("-gan --grp-attn-n -gaw --grp-attn-w", "a model's positions are those of its file"),
        ("--override-kv --attention", "a model is what its file says"),
        ("-mm --mmproj -mmu --mmproj-url --mmproj-auto --image-min-tokens --image-max-tokens "
            + "--mtmd-batch-max-tokens --image --audio --video", "models read text only here"),
        ("-md --model-draft --spec-draft-model -hfd -hfrd --hf-repo-draft --draft --draft-n --draft-max --draft-min --draft-p-min "
            + "--spec-type --spec-draft-n-max --spec-draft-n-min -ctkd --cache-type-k-draft -ctvd --cache-type-v-draft "
            + "--spec-default --spec-draft-hf --spec-draft-p-min --spec-draft-p-split --draft-p-split --spec-draft-type-k "
            + "--spec-draft-type-v --mtp --eagle3 --dflash",
            "tokens are guessed from what was said before (--speculative): there is no draft model here"),
        ("-mu --model-url -dr --docker-repo -hff --hf-file -hft --hf-token",
            "models are fetched by `kvasir pull`, and -m names their files"),
        ("--samplers --sampler-seq --sampling-seq", "requests say it (samplers)"),
        ("-l --logit-bias", "requests say it (logit_bias)"),
        ("--grammar --grammar-file", "requests say it (grammar)"),
        ("-j --json-schema -jf --json-schema-file", "requests say it (json_schema)"),
        ("--dynatemp-range --dynatemp-exp", "the temperature is the same for all tokens"),
        ("--adaptive-target --adaptive-decay", "--mirostat holds the surprise of a text"),
        ("--context-shift", "nothing is ever cut off"),
        ("-sp --special", "control tokens are no text"),
        ("-no-cnv --no-conversation", "--raw sends a text as it is"),
        ("-e --escape --no-escape", "texts are taken as they are"),
    ];

    static readonly (string Names, string Why)[] s_refusedByServe =
    [
        ("--rerank --reranking", "no model with a ranking head can be served yet"),
        ("--embd-normalize", "requests say it (embd_normalize)"),
        ("--models-dir --models-preset --models-max --models-autoload --no-models-autoload", "a server serves one model"),
        ("--tools --tools-runtime --mcp-servers-config --mcp-servers-json -ag --agent --ui-mcp-proxy --webui-mcp-proxy",
            "tools are the client's to run"),
        ("--media-path", "models read text only here"),
        ("--ssl-key-file --ssl-cert-file", "a proxy before the server speaks TLS"),
        ("--path", "no files are served"),
        ("--cors-methods --cors-headers", "pages that may ask may use all methods and headers"),
        ("--cors-credentials", "browsers' credentials are never used: pages show their key in a header"),
        ("--log-prompts-dir", "texts are not logged; --record has counts and hashes of them"),
        ("--skip-chat-parsing --reasoning-preserve --no-reasoning-preserve --reasoning-budget-message",
            "requests say what an answer is"),
        ("--spm-infill", "gaps are written prefix first"),
    ];

    readonly Option<string[]>[] _ignored, _held;
    readonly Option<string[]>[] _refused;

    /// <param name="serves">Whether the verb is <c>serve</c>.</param>
    public LlamaFlags(bool serves)
    {
        _ignored = [.. s_ignored.Concat(serves ? s_ignoredByServe : []).Select(flag => Create(flag.Names, flag.Values))];
        _held = [.. serves ? s_held.Select(names => Create(names, 0)) : []];
        _refused = [.. s_refused.Concat(serves ? s_refusedByServe : []).Select(flag => Refuse(flag.Names, flag.Why)),
            .. serves ? [Pooling()] : Array.Empty<Option<string[]>>()];
    }

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[.. _ignored, .. _held, .. _refused])
            verb.Options.Add(option);
    }

    /// <summary>Says in one line what of the command line is ignored, if anything is.</summary>
    public void Tell(ParseResult parsed)
    {
        string[] given = [.. _ignored.Select(flag => parsed.GetResult(flag)).OfType<OptionResult>().Where(result => !result.Implicit)
            .Select(result => result.IdentifierToken!.Value)];
        if (given.Length > 0)
            Output.Terminal.Line($"ignored: {string.Join(", ", given)}; {(given.Length == 1 ? "it says" : "they say")} how llama.cpp computes, "
                + "which changes no answer");
    }

    /// <summary>A flag that nobody is told of.</summary>
    /// <param name="names">Its names, with spaces between.</param>
    /// <param name="values">How many values it has; −1 for one or none.</param>
    static Option<string[]> Create(string names, int values)
    {
        string[] all = names.Split(' ');
        return new Option<string[]>(all[0], all[1..])
        {
            Description = "A flag of llama.cpp's",
            Hidden = true,
            AllowMultipleArgumentsPerToken = false,
            Arity = values switch { 0 => ArgumentArity.Zero, 1 => new ArgumentArity(1, 1000), _ => new ArgumentArity(0, 1000) },
        };
    }

    static Option<string[]> Pooling()
    {
        Option<string[]> option = Create("--pooling", 1);
        option.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => token.Value != "last"))
                result.AddError($"--pooling: saw {Formats.Printable.Quote(result.Tokens[^1].Value)}, expected last: vectors are those of a "
                    + "text's last token");
        });
        return option;
    }

    static Option<string[]> Refuse(string names, string why)
    {
        Option<string[]> option = Create(names, -1);
        option.Validators.Add(result => result.AddError($"{result.IdentifierToken!.Value}: not here: {why}"));
        return option;
    }
}
