using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir estimate</c>: what a model's keys and values take, and what fits where, without its weights.</summary>
sealed class EstimateVerb
{
    static readonly int[] s_contexts = [2 << 10, 8 << 10, 32 << 10, 128 << 10];

    static readonly Argument<string> s_model = new("MODEL")
    {
        Description = "A GGUF file, a config.json or a folder with one, a name on this machine, 'saga', or a well-known model "
            + "such as llama-3-8b",
    };
    static readonly Option<int[]?> s_context = Counts("--context", "-c",
        "Tokens of a sequence, such as 8k,32k; without it, up to the model's context");
    static readonly Option<int[]?> s_batch = Counts("--batch", "-b", "Sequences side by side, such as 1,16; without it, 1");
    static readonly KvTypeOptions s_types =
        ElementTypeOption.ForKv("How keys and values are stored, for what is counted once; without it, f16");
    static readonly Option<string?> s_retention = new("--kv-retain", "--retention")
    {
        Description = $"What is kept: {KvRetention.Forms}", HelpName = "POLICY",
    };
    static readonly Option<int> s_devices = new("--tp")
    {
        Description = "Devices over which tensor parallelism spreads the heads; sizes are of one", DefaultValueFactory = _ => 1,
        CustomParser = Number.ParseWithin(1, 1 << 16), HelpName = "N",
    };
    static readonly Option<long?> s_memory = Size("--memory",
        "Memory of a device: which context and how many sequences fit beside the weights");
    static readonly Option<string?> s_weights = new("--weights")
    {
        Description = "How the weights are stored, such as q4_0, or their size, such as 20GiB; without it, as the file has them, or bf16",
        HelpName = "TYPE|SIZE",
    };
    static readonly Option<long?> s_host = Size("--host", "Memory behind the device: how many tokens and conversations fit");
    static readonly Option<long?> s_disk = Size("--disk", "Room on a disk: how many tokens and conversations fit");
    static readonly Option<long?> s_kvDevice = Size("--kv-device", "A pool as serve has it: what of a sequence lies where");
    static readonly Option<long?> s_kvHost = Size("--kv-host", "Memory behind that pool; without it, none");
    static readonly Option<long?> s_kvDisk = Size("--kv-disk", "Room behind both on a disk; without it, none");
    static readonly Option<double?> s_flops = new("--flops")
    {
        Description = "Operations per second of prefill, such as 400T: above which bandwidth loading beats computing",
        CustomParser = OperationRate.Parse, HelpName = "RATE",
    };
    static readonly Option<bool> s_beyond = new("--beyond-context")
    {
        Description = "Size sequences longer than the model was trained for",
    };
    static readonly Option<bool> s_assume = new("--assume-llama")
    {
        Description = "Read a file of an unknown architecture as if every layer kept a key and a value per KV head",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };
    static readonly Option<bool> s_csv = new("--csv") { Description = "Print the sizes as CSV, in bytes" };
    static readonly Option<bool> s_markdown = new("--markdown") { Description = "Print Markdown" };

    public static Command Create()
    {
        Command verb = new("estimate")
        {
            s_model, s_context, s_batch, s_retention, s_devices, s_memory, s_weights, s_host, s_disk, s_kvDevice, s_kvHost, s_kvDisk,
            s_flops, s_beyond,
            s_assume, s_json, s_csv, s_markdown,
        };
        foreach (Option option in s_types.All)
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static Option<int[]?> Counts(string name, string alias, string description) =>
        new(name, alias)
        {
            Description = description, CustomParser = TokenCount.ParseSeveral, HelpName = "N,…", Arity = ArgumentArity.OneOrMore,
        };

    static Option<long?> Size(string name, string description) =>
        new(name) { Description = description, CustomParser = ByteSize.Parse, HelpName = "SIZE" };

    static int Run(ParseResult parsed)
    {
        if (((bool[])[parsed.GetValue(s_json), parsed.GetValue(s_csv), parsed.GetValue(s_markdown)]).Count(chosen => chosen) > 1)
            throw new UsageException("--json, --csv and --markdown: choose one");
        EstimateReport report = EstimateReport.Of(Request(parsed));
        if (parsed.GetValue(s_json))
            VerbJson.Write(report);
        else if (parsed.GetValue(s_csv))
            EstimateText.WriteCsv(report);
        else if (parsed.GetValue(s_markdown))
            EstimateText.WriteMarkdown(report);
        else
            EstimateText.Print(report);
        return ExitCode.Ok;
    }

    static EstimateRequest Request(ParseResult parsed)
    {
        string name = parsed.GetRequiredValue(s_model);
        ModelSpec spec = ModelOption.Describe(name, parsed.GetValue(s_assume));
        bool isBeyond = parsed.GetValue(s_beyond);
        return new EstimateRequest
        {
            Spec = spec,
            Contexts = Contexts(spec, parsed.GetValue(s_context), isBeyond),
            IsBeyondContext = isBeyond,
            Batches = parsed.GetValue(s_batch) is { Length: > 0 } batches ? batches : [1],
            Type = s_types.Read(parsed),
            Retention = parsed.GetValue(s_retention) is { } policy ? KvRetention.Parse(policy) : KvRetention.Everything,
            Devices = parsed.GetValue(s_devices),
            Memory = parsed.GetValue(s_memory),
            Weights = WeightSize.Of(spec, parsed.GetValue(s_weights)),
            Host = parsed.GetValue(s_host),
            Disk = parsed.GetValue(s_disk),
            Tiers = Tiers(parsed),
            Flops = parsed.GetValue(s_flops),
        };
    }

    static EstimateTiers? Tiers(ParseResult parsed)
    {
        if (parsed.GetValue(s_kvDevice) is not { } device)
            return parsed.GetValue(s_kvHost) is null && parsed.GetValue(s_kvDisk) is null ? null
                : throw new UsageException("--kv-host and --kv-disk: expected a --kv-device, the pool before them");
        if (parsed.GetValue(s_devices) > 1)
            throw new UsageException("--kv-device: expected one device, where --tp says more");
        return new EstimateTiers(device, parsed.GetValue(s_kvHost) ?? 0, parsed.GetValue(s_kvDisk) ?? 0);
    }

    static int[] Contexts(ModelSpec spec, int[]? given, bool isBeyond)
    {
        if (given is not { Length: > 0 })
            return [.. s_contexts.Where(context => context < spec.Context), spec.Context];
        if (!isBeyond && given.Max() is var longest && longest > spec.Context)
            throw new UsageException($"--context {longest}: {Printable.Line(spec.Name)} was trained for {spec.Context} tokens; "
                + $"--beyond-context sizes more all the same");
        return given;
    }
}
