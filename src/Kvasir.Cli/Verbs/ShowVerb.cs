using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
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
        Command verb = new("show", "Describe a model: architecture, tensors, quantisation, KV bytes per token") { s_model, s_tensors, s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using GgufFile file = GgufFile.Open(ModelOption.Resolve(parsed.GetRequiredValue(s_model)));
        (ModelConfig? config, string? notRunnable) = Try(() => ModelConfig.From(file));
        (string? chat, string? noTokenizer) = Try(() => TemplateOf(file));
        ShowReport report = ShowReport.Of(file, config, chat, notRunnable ?? noTokenizer);
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
    static string TemplateOf(GgufFile file)
    {
        Tokenizer tokenizer = Tokenizer.From(file);
        try
        {
            string tools = new ChatPrompts(tokenizer).Tools is null ? "without tools" : "with tools";
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
        Add(grid, "file", $"{report.File} ({ByteSize.Text(report.FileBytes)}, GGUF v{report.GgufVersion})");
        Add(grid, "architecture", report.Architecture ?? "–");
        Add(grid, "parameters", $"{report.Parameters:N0}");
        if (report.Config is { } config)
            Describe(grid, report, config);
        Add(grid, "chat template", report.ChatTemplate ?? "–");
        Add(grid, "licence", report.License ?? "–");
        return grid;
    }

    static void Describe(Grid grid, ShowReport report, ShowConfig config)
    {
        Add(grid, "layers", $"{config.Layers}{(config.KvLayers < config.Layers ? $" of which {config.KvLayers} have keys and values of their own" : "")}, width {config.Width:N0}, feed-forward {config.FeedForward:N0}");
        Add(grid, "heads", $"{config.Heads} query, {config.KvHeads} key-value, of {config.HeadDim} elements");
        Add(grid, "context", $"{config.Context:N0} tokens" + (config.Window is { } window ? $", sliding window {window:N0}{(config.WindowedLayers < config.Layers ? $" in {config.WindowedLayers} of {config.Layers} layers" : "")}" : ""));
        Add(grid, "vocabulary", $"{config.Vocabulary:N0} tokens{(config.TiedOutput ? ", output tied to embedding" : "")}");
        Add(grid, "RoPE", FormattableString.Invariant($"base {config.RopeBase:0.###}, {config.RopeDims} elements of a head"));
        foreach (ShowKv kv in report.KvBytesPerToken)
        {
            int bytes = kv.Codec == "f32" ? 4 : 2;
            Add(grid, $"KV per token, {kv.Codec}", $"{kv.Bytes:N0} bytes = {config.KvLayers} layers × {config.KvHeads} KV heads × ({config.HeadDim} + {config.HeadDim}) × {bytes} bytes; "
                + $"{ByteSize.Text(kv.Bytes * config.Context)} at full context");
        }
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
            table.AddRow(Markup.Escape(Printable.Line(tensor.Name)), tensor.Type, Markup.Escape($"[{string.Join(", ", tensor.Shape)}]"), ByteSize.Text(tensor.Bytes));
        return table;
    }

    static void Add(Grid grid, string name, string value) => grid.AddRow(new Text(name), new Text(Printable.Line(value, 4096)));

    static TableColumn Right(string name) => new TableColumn(name).RightAligned();
}
