using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Sampling;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary>The models that are there.</summary>
sealed record ModelTags(IReadOnlyList<ModelTag> Models);

/// <summary>One of them.</summary>
sealed record ModelTag(string Name, string Model, string ModifiedAt, long Size, string Digest, ModelDetails Details);

/// <summary>What kind of model it is.</summary>
sealed record ModelDetails(
    string ParentModel, string Format, string Family, IReadOnlyList<string> Families, string ParameterSize, string QuantizationLevel);

/// <summary>The models that are in memory.</summary>
sealed record RunningModels(IReadOnlyList<RunningModel> Models);

/// <summary>One of them; it leaves when the server ends.</summary>
sealed record RunningModel(string Name, string Model, long Size, string Digest, ModelDetails Details, string ExpiresAt, long SizeVram,
    int ContextLength);

/// <summary>What <c>/api/show</c> tells.</summary>
sealed record ModelPage(string Modelfile, string Parameters, string Template, string? System, ModelDetails Details, JsonObject ModelInfo,
    IReadOnlyList<string> Capabilities, string ModifiedAt, string? License);

/// <summary>Which version of Ollama's API is spoken.</summary>
sealed record VersionAnswer(string Version);

/// <summary><c>/api/tags</c>, <c>/api/ps</c>, <c>/api/show</c> and <c>/api/version</c>.</summary>
sealed class ModelPages(ServedModel model)
{
    /// <summary>The version of Ollama whose API is spoken: clients ask for a least one.</summary>
    const string Spoken = "0.13.0";

    const string Never = "9999-12-31T23:59:59Z";

    static readonly Dictionary<int, string> s_types = new()
    {
        [0] = "F32", [1] = "F16", [2] = "Q4_0", [3] = "Q4_1", [7] = "Q8_0", [8] = "Q5_0", [9] = "Q5_1", [10] = "Q2_K", [11] = "Q3_K_S",
        [12] = "Q3_K_M", [13] = "Q3_K_L", [14] = "Q4_K_S", [15] = "Q4_K_M", [16] = "Q5_K_S", [17] = "Q5_K_M", [18] = "Q6_K",
        [25] = "IQ4_NL", [30] = "IQ4_XS", [32] = "BF16",
    };

    GgufMetadata Metadata => model.Engine.Model.Metadata;

    string Name => ModelName.Of(model);

    string Digest => model.Engine.Cache.Fingerprint.ToString();

    string ModifiedAt => OllamaAnswer.Time(File.GetLastWriteTimeUtc(model.Engine.Model.Tokenizer.Vocabulary.Source));

    ModelDetails Details
    {
        get
        {
            string family = Metadata.GetString("general.architecture", "")!;
            return new ModelDetails("", "gguf", family, [family], Size(model.Engine.Model.Parameters),
                s_types.GetValueOrDefault(Metadata.GetInt32("general.file_type", -1), "unknown"));
        }
    }

    public Task Tags(HttpContext context) => context.Response.WriteAsJsonAsync(
        new ModelTags([new ModelTag(Name, Name, ModifiedAt, model.Engine.Model.FileBytes, Digest, Details)]), OllamaJson.Wire.ModelTags);

    public Task Running(HttpContext context) => context.Response.WriteAsJsonAsync(
        new RunningModels([new RunningModel(Name, Name, model.Engine.Model.FileBytes, Digest, Details, Never, 0, model.Engine.Context)]),
        OllamaJson.Wire.RunningModels);

    public static Task Version(HttpContext context) =>
        context.Response.WriteAsJsonAsync(new VersionAnswer(Spoken), OllamaJson.Wire.VersionAnswer);

    public Task Show(HttpContext context) => RequestFields.Read(context, Endpoints.OllamaShow, body =>
    {
        ModelName.Read(body, model);
        string parameters = Parameters();
        string file = $"FROM {model.Engine.Model.Tokenizer.Vocabulary.Source}\n"
            + string.Concat(parameters.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"PARAMETER {line}\n"));
        ModelPage page = new(file, parameters, model.Prompts.Template, model.Defaults.SystemPrompt, Details,
            Info(body["verbose"].Truth() ?? false), [.. Capabilities()], ModifiedAt, Metadata.GetString("general.license", null));
        return context.Response.WriteAsJsonAsync(page, OllamaJson.Wire.ModelPage);
    });

    /// <summary>What the operator, or the model's makers, say of choosing tokens.</summary>
    string Parameters()
    {
        SamplingOptions none = SamplingOptions.Greedy, said = model.Defaults.Sampling(none);
        IEnumerable<string> lines =
        [
            .. Line("temperature", said.Temperature, none.Temperature), .. Line("top_k", said.TopK, none.TopK),
            .. Line("top_p", said.TopP, none.TopP), .. Line("min_p", said.MinP, none.MinP),
            .. Line("repeat_penalty", said.RepeatPenalty, none.RepeatPenalty), .. Line("num_predict", model.Defaults.MaxTokens ?? -1, -1),
            .. model.Defaults.Stops.Select(stop => $"stop {JsonValue.Create(stop).ToJsonString()}"),
        ];
        return string.Join('\n', lines);
    }

    static IEnumerable<string> Line(string name, float said, float usual) =>
        said == usual ? [] : [string.Create(CultureInfo.InvariantCulture, $"{name} {said}")];

    IEnumerable<string> Capabilities()
    {
        yield return "completion";
        yield return "tools";
        if (model.Engine.Model.Tokenizer.FillIn is not null)
            yield return "insert";
        if (model.Prompts.Thoughts is not null)
            yield return "thinking";
    }

    /// <summary>The file's keys and values; lists, which may be long, where they are asked for.</summary>
    JsonObject Info(bool hasLists)
    {
        JsonObject info = new() { ["general.parameter_count"] = model.Engine.Model.Parameters };
        foreach (string key in Metadata.Keys)
            if (key != "tokenizer.chat_template")
                info[key] = Value(Metadata[key], hasLists);
        return info;
    }

    static JsonNode? Value(object value, bool hasLists) => value switch
    {
        string text => JsonValue.Create(text),
        bool truth => JsonValue.Create(truth),
        float real => float.IsFinite(real) ? JsonValue.Create(real) : null,
        double real => double.IsFinite(real) ? JsonValue.Create(real) : null,
        IConvertible number => JsonValue.Create(number.ToDecimal(CultureInfo.InvariantCulture)),
        ImmutableArray<string> texts when hasLists => new JsonArray([.. texts.Select(text => JsonValue.Create(text))]),
        ImmutableArray<int> numbers when hasLists => new JsonArray([.. numbers.Select(number => JsonValue.Create(number))]),
        ImmutableArray<float> numbers when hasLists =>
            new JsonArray([.. numbers.Where(float.IsFinite).Select(number => JsonValue.Create(number))]),
        _ => null,
    };

    /// <summary>Such as 1.4M or 7.2B.</summary>
    static string Size(long parameters) => parameters >= 1_000_000_000
        ? string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e9:0.0}B")
        : string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e6:0.0}M");
}
