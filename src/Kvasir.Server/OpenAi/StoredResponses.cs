using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary><c>GET</c> and <c>DELETE /v1/responses/{id}</c>, and <c>GET /v1/responses/{id}/input_items</c>.</summary>
static class StoredResponses
{
    const int UsualItems = 20, MostItems = 100;

    public static Task Get(HttpContext context, ResponseStore store)
    {
        Refuse(context, "stream", "an answer is kept when it is complete, and read as a whole");
        Refuse(context, "starting_after", "an answer is kept when it is complete, and read as a whole");
        return Write(context, Find(context, store).Answer);
    }

    public static Task Delete(HttpContext context, ResponseStore store)
    {
        Find(context, store);
        store.Delete(IdOf(context));
        return Write(context, new JsonObject { ["id"] = IdOf(context), ["object"] = "response", ["deleted"] = true });
    }

    /// <summary>An answer that is kept is over; the others end when their clients go away.</summary>
    public static Task Cancel(HttpContext context, ResponseStore store)
    {
        Find(context, store);
        throw new RequestException(400,
            $"id: {Formats.Printable.Quote(IdOf(context))} is not of the 'background', and can not be cancelled", "id");
    }

    /// <summary>The items before the answer, the last one first unless <c>order=asc</c>, a page at a time.</summary>
    public static Task List(HttpContext context, ResponseStore store)
    {
        IQueryCollection query = context.Request.Query;
        IEnumerable<JsonNode> items = ((JsonArray)JsonNode.Parse(Find(context, store).Items)!).Select(item => item!);
        if (Order(query["order"]) == "desc")
            items = items.Reverse();
        JsonNode[] page = [.. After(items, query["after"])], shown = page[..Math.Min(Limit(query["limit"]), page.Length)];
        return Write(context, new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray([.. shown.Select(item => item.DeepClone())]),
            ["first_id"] = shown.FirstOrDefault()?["id"]?.DeepClone(),
            ["last_id"] = shown.LastOrDefault()?["id"]?.DeepClone(),
            ["has_more"] = shown.Length < page.Length,
        });
    }

    static StoredResponse Find(HttpContext context, ResponseStore store) =>
        store.Find(IdOf(context), Gate.PrincipalOf(context), "id", "response_not_found");

    static string IdOf(HttpContext context) => (string)context.Request.RouteValues["id"]!;

    static string Order(string? order) => order switch
    {
        null or "" or "desc" => "desc",
        "asc" => "asc",
        _ => throw Wrong("order", order, "asc or desc"),
    };

    static int Limit(string? limit) => string.IsNullOrEmpty(limit) ? UsualItems
        : int.TryParse(limit, out int count) && count is >= 1 and <= MostItems ? count
        : throw Wrong("limit", limit, $"a whole number from 1 to {MostItems}");

    static IEnumerable<JsonNode> After(IEnumerable<JsonNode> items, string? id)
    {
        if (string.IsNullOrEmpty(id))
            return items;
        JsonNode[] rest = [.. items.SkipWhile(item => (string?)item["id"] != id)];
        return rest.Length > 0 ? rest[1..] : throw Wrong("after", id, "the id of an item");
    }

    static void Refuse(HttpContext context, string name, string why)
    {
        if ((string?)context.Request.Query[name] is { Length: > 0 } value and not "false")
            throw new RequestException(400, $"{name}: {Formats.Printable.Quote(value)} is not honoured here: {why}", name, "unsupported_field");
    }

    static RequestException Wrong(string name, string seen, string expected) =>
        new(400, $"{name}: {Formats.Printable.Quote(seen)}, expected {expected}", name);

    static Task Write(HttpContext context, JsonObject body) => Write(context, Text(body));

    static Task Write(HttpContext context, string body)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(body, context.RequestAborted);
    }

    /// <summary>JSON as all answers are written.</summary>
    public static string Text(JsonNode body)
    {
        using MemoryStream text = new();
        using (Utf8JsonWriter json = new(text, new JsonWriterOptions { Encoder = Wire.Encoder }))
            body.WriteTo(json);
        return System.Text.Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
