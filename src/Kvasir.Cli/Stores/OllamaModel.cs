using System.Text.Json;

namespace Kvasir.Cli.Stores;

/// <summary>A model of Ollama's: its GGUF file, and what its makers set besides.</summary>
/// <param name="Path">The GGUF file.</param>
/// <param name="System">The system prompt of conversations that have no other.</param>
/// <param name="Parameters">An object of parameters, or nothing.</param>
/// <param name="Unused">Kinds of layers that say nothing here: prompts are written by the template in the GGUF file.</param>
sealed record OllamaModel(string Path, string? System, JsonElement Parameters, IReadOnlyList<string> Unused)
{
    /// <summary>What Ollama calls what GGUF files advise.</summary>
    static readonly Dictionary<string, string> s_names = new()
    {
        ["temp"] = "temperature", ["top_k"] = "top_k", ["top_p"] = "top_p", ["min_p"] = "min_p", ["penalty_repeat"] = "repeat_penalty",
    };

    static readonly string[] s_others = ["num_ctx", "num_predict", "stop"];

    /// <summary>Tokens of context; null where nothing is said.</summary>
    public int? Context => Whole("num_ctx");

    /// <summary>Most tokens of an answer; null for no bound.</summary>
    public int? MaxTokens => Whole("num_predict");

    /// <summary>Texts that end an answer.</summary>
    public IReadOnlyList<string> Stops => Field("stop") switch
    {
        { ValueKind: JsonValueKind.Array } several =>
            [.. several.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)],
        { ValueKind: JsonValueKind.String } one => [one.GetString()!],
        _ => [],
    };

    /// <summary>How a token is chosen, by the name of a GGUF file's advice.</summary>
    public double? Advice(string name) => s_names.TryGetValue(name, out string? theirs)
        && Field(theirs) is { ValueKind: JsonValueKind.Number } number && number.TryGetDouble(out double value) ? value : null;

    /// <summary>What is said of the model and not taken, by name.</summary>
    public IEnumerable<string> Ignored => Unused.Concat(Parameters.ValueKind == JsonValueKind.Object
        ? Parameters.EnumerateObject().Select(each => each.Name).Except(s_names.Values).Except(s_others) : []);

    int? Whole(string name) =>
        Field(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out int value) && value > 0 ? value : null;

    JsonElement? Field(string name) =>
        Parameters.ValueKind == JsonValueKind.Object && Parameters.TryGetProperty(name, out JsonElement value) ? value : null;
}
