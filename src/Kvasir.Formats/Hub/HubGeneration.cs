using System.Collections.Immutable;
using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>
/// How a model wants to be asked: its <c>generation_config.json</c>, and what <c>config.json</c> says of the same, which comes second.
/// </summary>
sealed class HubGeneration(string configPath, JsonElement config, string path, JsonElement? generation)
{
    const int MostTokens = 1 << 24;

    /// <summary>The tokens that end a text; none where the files do not say.</summary>
    public ImmutableArray<int> Ends => Ids("eos_token_id");

    /// <summary>The token that begins a text.</summary>
    public int? Begin => Ids("bos_token_id") is [int id, ..] ? id : null;

    /// <summary>Adds the sampling that the model's makers advise, where they advise any, and whether a cache is wanted.</summary>
    public void AddTo(GgufEntries entries)
    {
        entries.Set(HubConfig.UseCacheKey, Flag("use_cache") == false ? false : null);
        entries.Set("general.sampling.penalty_repeat", Number("repetition_penalty", 100));
        float temperature = Number("temperature", 100) ?? 1;
        if (Flag("do_sample") != true) // transformers samples only where somebody says so, and then with these
            return;
        entries.Set("general.sampling.temp", temperature);
        entries.Set("general.sampling.top_k", (int)(Number("top_k", 1 << 24) ?? 50));
        entries.Set("general.sampling.top_p", Number("top_p", 1));
        entries.Set("general.sampling.min_p", Number("min_p", 1));
    }

    (JsonElement Value, string Path)? Find(string name)
    {
        foreach ((JsonElement? file, string at) in ((JsonElement?, string)[])[(generation, path), (config, configPath)])
            if (file is { ValueKind: JsonValueKind.Object } fields && fields.TryGetProperty(name, out JsonElement value)
                && value.ValueKind != JsonValueKind.Null)
                return (value, at);
        return null;
    }

    bool? Flag(string name) => Find(name) is not { } found ? null : found.Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Invalid(name, found, "true or false"),
    };

    float? Number(string name, float most) => Find(name) is not { } found ? null
        : found.Value.ValueKind == JsonValueKind.Number && found.Value.TryGetSingle(out float value) && value >= 0 && value <= most ? value
        : throw Invalid(name, found, FormattableString.Invariant($"a number from 0 to {most}"));

    ImmutableArray<int> Ids(string name)
    {
        if (Find(name) is not { } found)
            return [];
        JsonElement[] items = found.Value.ValueKind == JsonValueKind.Array ? [.. found.Value.EnumerateArray()] : [found.Value];
        return items.All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) && id is >= 0 and < MostTokens)
            ? [.. items.Select(item => item.GetInt32())]
            : throw Invalid(name, found, "a token's id, or a list of such");
    }

    static ModelFormatException Invalid(string name, (JsonElement Value, string Path) found, string expected) =>
        ModelFormatException.At(found.Path, name, Printable.Line(found.Value.GetRawText(), 40), expected);
}
