using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary><c>POST /v1/chat/completions</c>: https://platform.openai.com/docs/api-reference/chat.</summary>
static class ChatCompletions
{
    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.Chat, async body =>
        {
            ChatRequest request = ChatRequest.Read(body, service.Model, Gate.PrincipalOf(context),
                service.Options, RequestReader.Explains(context));
            RequestFields.TellSkipped(context, request.Input);
            await service.Serve(context, request.Completion,
                run => request.Streams ? new ChatStream(context, service, request, run).Write() : Answer(context, service, run));
        });

    /// <summary>Why an answer ended, in OpenAI's words.</summary>
    public static string FinishReasonOf(GenerationResult result, bool hasCalls) =>
        result.FinishReason == FinishReason.Length ? "length" : hasCalls ? "tool_calls" : "stop";

    /// <summary>What identifies model and numerics: equal seeds give equal answers while it is the same.</summary>
    public static string SystemFingerprint(ServedModel model) => $"fp_{model.Engine.Cache.Fingerprint.ToString()[..12]}";

    static async Task<string> Answer(HttpContext context, CompletionService service, CompletionRun run)
    {
        (ChoiceText[] choices, GenerationResult[] results) = await ChoiceText.ReadAll(run);
        ChatCompletion answer = new(
            run.Request.Id, "chat.completion", DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
            run.ModelName, SystemFingerprint(service.Model),
            [.. choices.Select((choice, i) => new ChatChoice(i, Message(choice), ChoiceLogprobs.Of(choice, run.Request.Options,
                service.Model.Engine.Model.Tokenizer), FinishReasonOf(results[i], choice.Calls.Count > 0)))],
            Usage.Of(run, results), run.ExplanationOf(results[0]), Timings.Of(run, results[0]),
            RawAnswer.Of(run, results[0], service.Model.Engine.Model.Tokenizer))
        {
            PromptLogprobs = PromptLogprob.Of(choices[0].PromptLogprobs, run.Request.PromptLogprobs, service.Model.Engine.Model.Tokenizer),
        };
        await context.Response.WriteAsJsonAsync(answer, OpenAiJson.Wire.ChatCompletion, cancellationToken: context.RequestAborted);
        return answer.Choices[0].FinishReason;
    }

    static ChatMessage Message(ChoiceText choice) => new("assistant",
        choice.Calls.Count > 0 && choice.Text.Length == 0 ? null : choice.Text, choice.Thoughts.Length > 0 ? choice.Thoughts : null,
        choice.Calls.Count > 0 ? [.. choice.Calls.Select(call => ChatToolCall.Of(call.Call, null))] : null);
}
