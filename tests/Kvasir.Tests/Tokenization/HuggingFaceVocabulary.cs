using System.Text.Json;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Tests.Tokenization;

/// <summary>Reads as much of Hugging Face's <c>tokenizer.json</c> as byte-level BPE needs.</summary>
static class HuggingFaceVocabulary
{
    public static Vocabulary Read(string path, string pre)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement model = json.RootElement.GetProperty("model");
        var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Value.GetInt32(), entry => entry.Name);
        HashSet<int> control = [];
        foreach (JsonElement added in json.RootElement.GetProperty("added_tokens").EnumerateArray())
        {
            int id = added.GetProperty("id").GetInt32();
            ids[id] = added.GetProperty("content").GetString()!;
            if (added.GetProperty("special").GetBoolean()) control.Add(id);
        }

        int count = ids.Keys.Max() + 1;
        return new Vocabulary
        {
            Source = path,
            Model = "gpt2",
            Pre = pre,
            Tokens = [.. Enumerable.Range(0, count).Select(id => ids.GetValueOrDefault(id, $"[PAD{id}]"))],
            Types = [.. Enumerable.Range(0, count).Select(id => control.Contains(id) ? TokenType.Control : TokenType.Normal)],
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(merge => merge.GetString()!)],
            AddBos = false,
        };
    }
}
