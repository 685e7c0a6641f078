using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Tests.Server;

/// <summary>Streams read to their ends.</summary>
static class Streamed
{
    /// <summary>The events of a stream that has to succeed, without OpenAI's last word.</summary>
    public static async Task<JsonElement[]> Events(ServerFixture server, string path, JsonObject request)
    {
        JsonObject streamed = request.DeepClone().AsObject();
        streamed["stream"] = true;
        using HttpResponseMessage response = await server.Post(path, streamed);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.True(response.IsSuccessStatusCode, text);
        return [.. text.Split('\n').Where(line => line.StartsWith("data: {", StringComparison.Ordinal))
            .Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement)];
    }

    /// <summary>The deltas of a chat's only choice.</summary>
    public static async Task<JsonElement[]> Deltas(ServerFixture server, JsonObject request) =>
        [.. (await Events(server, "/v1/chat/completions", request)).Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta"))];

    /// <summary>A member of the deltas, put together.</summary>
    public static string Joined(IEnumerable<JsonElement> deltas, string name) =>
        string.Concat(deltas.Select(delta => delta.TryGetProperty(name, out JsonElement value) ? value.GetString() : ""));

    /// <summary>The calls of a chat's deltas, put together: name and arguments.</summary>
    public static (string Name, string Arguments)[] Calls(IEnumerable<JsonElement> deltas)
    {
        List<(string Name, string Arguments)> calls = [];
        foreach (JsonElement call in deltas.Where(delta => delta.TryGetProperty("tool_calls", out _))
            .SelectMany(delta => delta.GetProperty("tool_calls").EnumerateArray()))
        {
            JsonElement function = call.GetProperty("function");
            if (function.TryGetProperty("name", out JsonElement name))
                calls.Add((name.GetString()!, ""));
            Assert.Equal(calls.Count - 1, call.GetProperty("index").GetInt32());
            calls[^1] = calls[^1] with { Arguments = calls[^1].Arguments + function.GetProperty("arguments").GetString() };
        }
        return [.. calls];
    }
}
