using Kvasir.Inference;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>What <c>/v1/models</c> lists: OpenAI's fields and, behind them, Anthropic's, which has the same path.</summary>
sealed record ModelList(string Object, IReadOnlyList<ModelEntry> Data, bool HasMore, string FirstId, string LastId);

/// <summary>A model, for clients of either protocol.</summary>
sealed record ModelEntry(string Id, string Object, long Created, string OwnedBy, ModelFacts Meta, string Type,
    string DisplayName, DateTimeOffset CreatedAt, IEnumerable<string> Aliases, IReadOnlyList<string> Tags)
{
    public static ModelEntry Of(ServedModel model, string name) =>
        new(name, "model", model.Created, "kvasir", ModelFacts.Of(model.Engine), "model", model.Engine.Model.Config.Name,
            DateTimeOffset.FromUnixTimeSeconds(model.Created), model.Names, model.Tags);
}

/// <summary>
/// Tokens of context, served and trained; sizes of vocabulary and model, its file in bytes; bytes of keys and values for a token.
/// </summary>
sealed record ModelFacts(int NCtx, int NCtxTrain, long NParams, long Size, int NVocab, int NLayer, long KvBytesPerToken)
{
    public static ModelFacts Of(InferenceEngine engine) => new(
        engine.Context, engine.Model.Config.Context, engine.Model.Parameters, engine.Model.FileBytes, engine.Model.Config.Vocabulary,
        engine.Model.Config.Layers.Length, engine.Layout.BytesPerToken);
}

/// <summary><c>GET /v1/models</c> and <c>/v1/models/{id}</c>.</summary>
static class Models
{
    /// <summary>A list with an entry for each name: what a client offers to choose from, it can send.</summary>
    public static Task List(HttpContext context, ServedModel model) => context.Response.WriteAsJsonAsync(
        new ModelList("list", [.. model.Names.Select(name => ModelEntry.Of(model, name))], false, model.Names.First(), model.Names.Last()),
        OpenAiJson.Wire.ModelList);

    public static Task One(HttpContext context, ServedModel model)
    {
        // the names of many have a slash, and clients escape it
        string name = model.NameFor(Uri.UnescapeDataString((string?)context.Request.RouteValues["id"] ?? ""));
        return context.Response.WriteAsJsonAsync(ModelEntry.Of(model, name), OpenAiJson.Wire.ModelEntry);
    }
}
