using Kvasir.Inference.Formats;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>What <c>/v1/models</c> lists.</summary>
sealed record ModelList(string Object, IReadOnlyList<ModelEntry> Data);

/// <summary>A model.</summary>
sealed record ModelEntry(string Id, string Object, long Created, string OwnedBy, ModelFacts Meta)
{
    public static ModelEntry Of(ServedModel model) => new(model.Id, "model", model.Created, "kvasir", new ModelFacts(
        model.Engine.Context, model.Engine.Model.Config.Context, model.Engine.Model.Config.Vocabulary, model.Engine.Model.Config.Layers, model.Engine.Layout.BytesPerToken));
}

/// <summary>Tokens of context, served and trained; sizes of vocabulary and model; bytes of keys and values for a token.</summary>
sealed record ModelFacts(int NCtx, int NCtxTrain, int NVocab, int NLayer, long KvBytesPerToken);

/// <summary><c>GET /v1/models</c> and <c>/v1/models/{id}</c>.</summary>
static class Models
{
    public static Task List(HttpContext context, ServedModel model) =>
        context.Response.WriteAsJsonAsync(new ModelList("list", [ModelEntry.Of(model)]), ServerJson.Default.ModelList);

    public static Task One(HttpContext context, ServedModel model)
    {
        string id = (string)context.Request.RouteValues["id"]!;
        return id == model.Id
            ? context.Response.WriteAsJsonAsync(ModelEntry.Of(model), ServerJson.Default.ModelEntry)
            : throw new RequestException(404, $"model: {Printable.Quote(id)} is not served here, expected '{model.Id}'", "model", "model_not_found");
    }
}
