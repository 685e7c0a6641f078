using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Model;
using Kvasir.Inference.Templates;
using Kvasir.Inference.Tokenization;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir show</c>: what a model file is and what it will take.</summary>
sealed class ShowVerb
{
    static readonly Argument<string> s_model = ModelOption.CreateArgument("MODEL");
    static readonly Option<bool> s_tensors = new("--tensors") { Description = "List every tensor" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("show")
        {
            s_model, s_tensors, s_json,
        };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using IModelFile file = ModelFiles.Open(ModelOption.Resolve(parsed.GetRequiredValue(s_model)));
        (ModelSpec? spec, _) = Try(() => ModelSpec.From(file));
        (_, string? notRunnable) = Try(() => SupportedModels.Read(file));
        (string? chat, string? noTokenizer) = Try(() => TemplateOf(file));
        ShowReport report = ShowReport.Of(file, spec, chat, notRunnable ?? noTokenizer);
        if (parsed.GetValue(s_json))
            VerbJson.Write(report);
        else
            Print(report, parsed.GetValue(s_tensors));
        return ExitCode.Ok;
    }

    /// <summary>A file that cannot run can still be shown, with the reason.</summary>
    static (T? Value, string? Reason) Try<T>(Func<T> read) where T : class
    {
        try
        {
            return (read(), null);
        }
        catch (ModelFormatException e)
        {
            return (null, e.Message);
        }
    }

    /// <summary>What a conversation is written by, and whether tools have a place in it.</summary>
    static string TemplateOf(IModelFile file)
    {
        Tokenizer tokenizer = Tokenizer.From(file);
        try
        {
            string tools = new ChatPrompts(tokenizer).Tools.IsGeneric ? "without tools" : "with tools";
            return tokenizer.Vocabulary.ChatTemplate is null ? "none: asked in ChatML" : $"its own, {tools}";
        }
        catch (TemplateException e)
        {
            return $"cannot be understood: {e.Message}";
        }
    }

    static void Print(ShowReport report, bool tensors)
    {
        Terminal.Answers.Write(Facts(report));
        Terminal.Answers.WriteLine();
        Terminal.Answers.Write(Types(report));
        if (tensors)
            Terminal.Answers.Write(Tensors(report));
        if (report.NotRunnable is { } reason)
            Terminal.Line($"not runnable: {reason}");
    }

    static Grid Facts(ShowReport report)
    {
        Grid grid = new Grid().AddColumn().AddColumn();
        Add(grid, "model", report.Name ?? "–");
        Add(grid, "file", $"{report.File} ({ByteSize.Text(report.FileBytes)}, {(report.GgufVersion is { } version ? $"GGUF v{version}" : "safetensors")})");
        Add(grid, "architecture", report.Architecture ?? "–");
        Add(grid, "parameters", $"{report.Parameters:N0}");
        if (report.Config is { } config)
            Describe(grid, report, config);
        Add(grid, "chat template", report.ChatTemplate ?? "–");
        Add(grid, "licence", report.License ?? "–");
        return grid;
    }

    /// <summary>What all layers have in common, and then, for those that are alike, what they have not.</summary>
    static void Describe(Grid grid, ShowReport report, ShowConfig config)
    {
        string network = Common(config, layer => layer.NetworkText()) is { Length: > 0 } same ? $", {same}" : "";
        string owners = config.KvLayers < config.Layers ? $" of which {config.KvLayers} have keys and values of their own" : "";
        Add(grid, "layers", $"{config.Layers}{owners}, width {config.Width:N0}{network}");
        if (Common(config, layer => layer.HeadsText()) is { } heads)
            Add(grid, "heads", heads);
        Add(grid, "context", $"{config.Context:N0} tokens" + (config.Window is { } window ? $", sliding window {window:N0}{(config.WindowedLayers < config.Layers ? $" in {config.WindowedLayers} of {config.Layers} layers" : "")}" : ""));
        Add(grid, "vocabulary", $"{config.Vocabulary:N0} tokens{(config.TiedOutput ? ", output tied to embedding" : "")}");
        if (Common(config, layer => layer.RopeText()) is { } rope)
            Add(grid, "RoPE", rope);
        if (config.Scales.Count > 0)
            Add(grid, "scales", string.Join(", ", config.Scales));
        foreach (ShowLayers layers in config.Groups.Where(_ => config.Groups.Count > 1))
            Add(grid, $"{(layers.Layers.Count > 1 ? "layers" : "layer")} {layers.Numbers()}", string.Join("; ", Differing(config, layers)));
        foreach (ShowKv kv in report.KvBytesPerToken)
            Add(grid, $"KV per token, {kv.Codec}",
                $"{kv.Bytes:N0} bytes{Factors(config, kv)}; {ByteSize.Text(kv.Bytes * config.Context)} at full context");
    }

    /// <summary>What all groups say; null where they differ.</summary>
    static string? Common(ShowConfig config, Func<ShowLayers, string> fact) =>
        config.Groups.All(layers => fact(layers) == fact(config.Groups[0])) ? fact(config.Groups[0]) : null;

    static IEnumerable<string> Differing(ShowConfig config, ShowLayers layers)
    {
        (string Name, Func<ShowLayers, string> Fact)[] facts =
        [
            ("", layer => layer.HeadsText()), ("", layer => layer.WindowText()), ("", layer => layer.SharingText()),
            ("RoPE ", layer => layer.RopeText()), ("", layer => layer.NetworkText()),
        ];
        return facts.Where(each => Common(config, each.Fact) is null && each.Fact(layers).Length > 0)
            .Select(each => each.Name + each.Fact(layers));
    }

    /// <summary>Where the bytes come from, if all layers that keep any keep the same.</summary>
    static string Factors(ShowConfig config, ShowKv kv)
    {
        ShowLayers[] owners = [.. config.Groups.Where(layers => layers is { SharesKv: false, Heads: not null })
            .DistinctBy(layers => (layers.KvHeads, layers.KeyDim, layers.ValueDim))];
        int bytes = kv.Codec == "f32" ? 4 : 2;
        return owners is [{ ValueDim: > 0 } all]
            ? $" = {config.KvLayers} layers × {all.KvHeads} KV heads × ({all.KeyDim} + {all.ValueDim}) × {bytes} bytes"
            : "";
    }

    static Table Types(ShowReport report)
    {
        Table table = new Table().SimpleBorder().AddColumn("type").AddColumn(Right("tensors")).AddColumn(Right("size"));
        foreach (ShowType type in report.Types)
            table.AddRow(type.Type, $"{type.Tensors:N0}", ByteSize.Text(type.Bytes));
        return table;
    }

    static Table Tensors(ShowReport report)
    {
        Table table = new Table().SimpleBorder().AddColumn("tensor").AddColumn("type").AddColumn("shape").AddColumn(Right("size"));
        foreach (ShowTensor tensor in report.Tensors)
            table.AddRow(Markup.Escape(Printable.Line(tensor.Name)), tensor.Type,
                Markup.Escape($"[{string.Join(", ", tensor.Shape)}]"), ByteSize.Text(tensor.Bytes));
        return table;
    }

    static void Add(Grid grid, string name, string value) => grid.AddRow(new Text(name), new Text(Printable.Line(value, 4096)));

    static TableColumn Right(string name) => new TableColumn(name).RightAligned();
}
