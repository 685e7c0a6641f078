using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>Finds the chat templates of a folder, where they are now and where they have been.</summary>
static class HubTemplates
{
    const string Key = "tokenizer.chat_template", ToolKey = Key + ".tool_use", Name = "chat_template";
    const int MostBytes = 4 << 20;

    public static void AddTo(GgufEntries entries, string folder, JsonElement? config)
    {
        if (ReadText(Path.Combine(folder, "chat_template.jinja")) is { } own)
            entries.Set(Key, own);
        else if (File.Exists(Path.Combine(folder, "chat_template.json")))
        {
            using JsonDocument json = JsonFile.Read(Path.Combine(folder, "chat_template.json"));
            AddFrom(entries, json.RootElement);
        }
        else if (config is { } fields)
            AddFrom(entries, fields);
        entries.Set(ToolKey, ReadText(Path.Combine(folder, "additional_chat_templates", "tool_use.jinja")));
    }

    static void AddFrom(GgufEntries entries, JsonElement fields)
    {
        entries.Set(Key, fields.Text(Name));
        foreach (JsonElement named in fields.Items(Name))
            entries.Set(KeyOf(named.Text("name") ?? ""), named.Text("template"));
    }

    static string KeyOf(string name) => name == "default" ? Key : $"{Key}.{Printable.Line(name)}";

    static string? ReadText(string path)
    {
        try
        {
            if (!File.Exists(path))
                return null;
            return new FileInfo(path).Length <= MostBytes
                ? File.ReadAllText(path)
                : throw ModelFormatException.At(path, "file", $"{new FileInfo(path).Length} bytes", $"at most {MostBytes}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{Printable.Line(path, 4096)}: cannot be read: {Printable.Line(e.Message, 512)}", e);
        }
    }
}
