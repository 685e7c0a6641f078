using System.CommandLine;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Model;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Tokenization;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir models</c>: what is on this machine, whoever has downloaded it.</summary>
sealed class ModelsVerb
{
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object per model" };

    static readonly Option<bool> s_clearWeights = new("--clear-weights")
    {
        Description = "Delete the models that --weights has converted, and packed weights; both are made again when they are asked for",
    };

    public static Command Create()
    {
        Command verb = new("models") { s_json, s_clearWeights };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        if (parsed.GetValue(s_clearWeights))
            return ClearWeights(parsed.GetValue(s_json));
        IEnumerable<LocalModel> converted = CacheFolder.Find() is null ? [] : ConvertedModels.OfUser().All();
        IEnumerable<ModelLine> lines = new LocalModels(ModelPlaces.OfEnvironment()).All()
            .Prepend(new LocalModel("saga", SagaModel.Path, "kvasir")).Concat(converted).Select(ModelLine.Of);
        if (parsed.GetValue(s_json))
            foreach (ModelLine line in lines)
                VerbJson.Write(line);
        else
            Print([.. lines]);
        return ExitCode.Ok;
    }

    static int ClearWeights(bool json)
    {
        (int count, long bytes) = ConvertedModels.OfUser().Clear();
        (int packed, long packedBytes) = CacheFolder.Find() is { } folder ? WeightsFlag.Packed(folder).Clear() : default;
        if (json)
            VerbJson.Write(new ClearedWeights(count, bytes, packed, packedBytes));
        else
            Terminal.Line($"{count} converted models deleted, {ByteSize.Text(bytes)}; packed weights of {packed} models, "
                + ByteSize.Text(packedBytes));
        return ExitCode.Ok;
    }

    static void Print(ModelLine[] lines)
    {
        Table table = new Table().SimpleBorder().AddColumn("model").AddColumn("of");
        table.AddColumn(new TableColumn("size").RightAligned()).AddColumn("family")
            .AddColumn(new TableColumn("KV per token, f16").RightAligned()).AddColumn("cannot run since");
        foreach (ModelLine line in lines)
            table.AddRow(Text(line.Name, 4096), Text(line.Store), Size(line.Bytes), Text(line.Family ?? "–"), Size(line.KvBytesPerToken),
                Text(Short(line), 4096));
        Terminal.Answers.Write(table);
    }

    /// <summary>Why a model cannot run, without the path, which can be asked for.</summary>
    static string Short(ModelLine line) =>
        line.Path is { } path && line.NotRunnable?.StartsWith($"{path}: ", StringComparison.Ordinal) == true
        ? line.NotRunnable[(path.Length + 2)..]
        : line.NotRunnable ?? "";

    static Text Size(long? bytes) => Text(bytes is { } known ? ByteSize.Text(known) : "–");

    static Text Text(string text, int most = 80) => new(Printable.Line(text, most));
}

/// <summary>What <c>models --clear-weights --json</c> prints.</summary>
sealed record ClearedWeights(int Deleted, long Bytes, int PackedDeleted, long PackedBytes);

/// <summary>What <c>models --json</c> prints of each: sizes are in bytes, and null where nobody can tell.</summary>
sealed record ModelLine(string Name, string? Path, string Store, long? Bytes, string? Family, long? KvBytesPerToken, string? NotRunnable)
{
    /// <summary>Looks into a model. Whatever is wrong with it is what there is to say of it.</summary>
    public static ModelLine Of(LocalModel model)
    {
        ModelLine line = new(model.Name, model.Path, model.Store, null, null, null, model.Reason);
        return model.Path is null ? line : Try(() =>
        {
            using IModelFile file = ModelFiles.Open(model.Path);
            line = line with { Bytes = file.Length, Family = file.Metadata.GetString("general.architecture", null), NotRunnable = null };
            ModelSpec spec = ModelSpec.From(file);
            line = line with { KvBytesPerToken = ShowKv.Of(spec, "f16").Bytes };
            SupportedModels.Read(file);
            Tokenizer.From(file);
        }) is { } reason ? line with { NotRunnable = reason } : line;
    }

    static string? Try(Action look)
    {
        try
        {
            look();
            return null;
        }
        catch (Exception e) when (e is ModelFormatException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
