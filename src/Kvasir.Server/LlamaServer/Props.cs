using System.Reflection;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary>What <c>/props</c> tells of the server.</summary>
sealed record PropsAnswer(
    DefaultGeneration DefaultGenerationSettings, int TotalSlots, string ModelAlias, string ModelPath, Modalities Modalities,
    bool EndpointSlots, bool EndpointProps, bool EndpointMetrics, string ChatTemplate, string? SystemPrompt, string BosToken,
    string EosToken, string BuildInfo, bool IsSleeping);

/// <summary>What holds where a request of <c>/completion</c> says nothing.</summary>
sealed record DefaultGeneration(int NCtx, GenerationSettings Params);

/// <summary>What a model reads besides text.</summary>
sealed record Modalities(bool Vision, bool Audio);

/// <summary><c>GET</c> and <c>POST /props</c>.</summary>
/// <param name="model">The model.</param>
/// <param name="showsSlots">Whether <c>/slots</c> tells what runs.</param>
sealed class Props(ServedModel model, bool showsSlots)
{
    static readonly string s_build = typeof(Props).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion.Split('+')[0];

    public Task Get(HttpContext context)
    {
        var tokenizer = model.Engine.Model.Tokenizer;
        string Spelling(int? token) => token is { } id ? tokenizer.Text(id) : "";
        PropsAnswer answer = new(
            new DefaultGeneration(model.Engine.Context, GenerationSettings.Of(CompletionQuery.Usual(model), tokenizer.Ends)),
            model.Slots.Count, model.Id, tokenizer.Vocabulary.Source, new Modalities(false, false), showsSlots, false, true,
            model.Prompts.Template, model.Defaults.SystemPrompt, Spelling(tokenizer.Bos), Spelling(tokenizer.Eos), $"kvasir-{s_build}", false);
        return context.Response.WriteAsJsonAsync(answer, LlamaServerJson.Wire.PropsAnswer);
    }

    /// <summary>llama-server has no property yet that could be changed, either.</summary>
    public static Task Post(HttpContext context) => throw new RequestException(501,
        "properties are those of the command line: none can be changed while the server runs", code: "not_supported");
}
