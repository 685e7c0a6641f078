using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary><c>POST /api/generate</c>.</summary>
static class Generate
{
    const int MostContext = 1 << 24;

    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.OllamaGenerate, body =>
        {
            ServedModel model = service.Model;
            ModelName.Read(body, model);
            OllamaQuery.Unloads(body["keep_alive"]);
            if (body["prompt"].Text() is not { Length: > 0 } && body["suffix"].Text() is not { Length: > 0 })
                return context.Response.WriteAsJsonAsync(
                    OllamaQuery.Nothing(body, model) with { Response = "" }, OllamaJson.Wire.OllamaAnswer);
            bool isRaw = body["raw"].Truth() ?? false;
            AnswerPlan? plan = isRaw || body["suffix"].Text() is { Length: > 0 } ? null : Asked(body, model);
            int[] prompt = isRaw ? Raw(body, model)
                : plan is null ? FillIn.Prompt(body["prompt"], body["suffix"], model)
                : Behind(body, plan.Prompt.Tokens, model);
            OllamaQuery query = OllamaQuery.Read(context, body, prompt, plan, "/api/generate", model, () => null);
            return service.Serve(context, query.Completion,
                run => new OllamaWriter(context, model, query, run) { ReturnsContext = !isRaw }.Write());
        });

    static int[] Raw(Field body, ServedModel model)
    {
        foreach (string name in (string[])["system", "context", "suffix"])
            if (!body[name].IsAbsent && !(body[name].IsString && body[name].Text()!.Length == 0))
                throw body[name].Wrong("none: raw sends the prompt as it is");
        return model.Engine.Model.Tokenizer.EncodePrompt(Prompt(body, model), model.Engine.Context);
    }

    static string Prompt(Field body, ServedModel model)
    {
        if (!body["prompt"].IsAbsent)
            BodyLimit.Check(body["prompt"], model.Engine.Context, model.Engine.Model.Tokenizer.LongestToken);
        return body["prompt"].Text() ?? "";
    }

    /// <summary>A message of a user.</summary>
    static AnswerPlan Asked(Field body, ServedModel model)
    {
        ChatInput input = new();
        if (body["system"].Text() is { Length: > 0 } system)
            input.Add("system", system);
        input.Add("user", Prompt(body, model));
        return ChatPlans.Of(model, input, ToolChoice.Of(ToolChoiceKind.None, []), Thinking.OfOllama(body["think"]),
            GrammarField.ReadFormat(body["format"]), several: false, PromptEnd.Answer);
    }

    /// <summary>A prompt behind what an earlier answer gave back as the conversation so far.</summary>
    static int[] Behind(Field body, int[] prompt, ServedModel model)
    {
        if (body["context"].IsAbsent)
            return prompt;
        Tokenizer tokenizer = model.Engine.Model.Tokenizer;
        int[] before = body["context"].Wholes(MostContext, tokenizer.VocabularySize - 1);
        return before.Length == 0 ? prompt : [.. before, .. prompt.AsSpan(prompt.AsSpan().StartsWith(tokenizer.Opening.AsSpan())
            ? tokenizer.Opening.Length
            : 0)];
    }
}
