using System.Text.Json;

namespace Kvasir.Inference.Chat;

/// <summary>
/// JSON that a model wrote: the parser takes half surrogate pairs and names that are there twice, on which readers fail later.
/// </summary>
static class WrittenJson
{
    static readonly JsonDocumentOptions s_options = new() { AllowDuplicateProperties = false };

    /// <summary>Reads it; null when it is none that everybody can read.</summary>
    public static JsonElement? Parse(string text)
    {
        try
        {
            var value = JsonElement.Parse(text, s_options);
            if (text.Contains(@"\ud", StringComparison.OrdinalIgnoreCase))
                ReadStrings(value);
            return value;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter of half a pair
        {
            return null;
        }
    }

    static void ReadStrings(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
            _ = value.GetString();
        else if (value.ValueKind == JsonValueKind.Array)
            foreach (JsonElement item in value.EnumerateArray())
                ReadStrings(item);
        else if (value.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty member in value.EnumerateObject())
            {
                _ = member.Name;
                ReadStrings(member.Value);
            }
    }
}
