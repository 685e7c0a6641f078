using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>The items that a request of <c>/v1/responses</c> says, as they are kept and listed: each with its type and an id.</summary>
static class InputItems
{
    /// <summary>Adds what a body says, a text or a list of items, to those of its conversation before.</summary>
    public static void Add(JsonArray items, Field input)
    {
        if (input.IsString)
            items.Add((JsonNode)Complete(new JsonObject { ["role"] = "user", ["content"] = input.Text() }));
        else
            foreach (Field item in input.Items())
                items.Add((JsonNode)Complete(item.Copy()!));
    }

    static JsonObject Complete(JsonObject item)
    {
        item["type"] ??= "message";
        string type = (string)item["type"]!;
        if (item["id"]?.GetValueKind() != JsonValueKind.String)
            item["id"] = $"{PrefixOf(type)}_{Guid.NewGuid():N}";
        item["status"] ??= "completed";
        if (type == "message" && item["content"] is not JsonArray)
            item["content"] = new JsonArray(new JsonObject
            {
                ["type"] = (string?)item["role"] == "assistant" ? "output_text" : "input_text",
                ["text"] = (string?)item["content"] ?? "",
            });
        return item;
    }

    static string PrefixOf(string type) => type switch
    {
        "message" => "msg",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "reasoning" => "rs",
        _ => "item",
    };
}
