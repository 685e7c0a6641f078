using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Schemas;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>Reads what a call brings: messages, tools, and how tokens are chosen.</summary>
static class CallReader
{
    public static ChatCall Read(IEnumerable<ChatMessage> messages, ChatOptions? options, ChatPrompts prompts)
    {
        options ??= new ChatOptions();
        if (options.ConversationId is not null)
            throw new NotSupportedException("ConversationId: no conversations are kept here, expected null and all messages: what was "
                + "computed for them is found in the cache");
        ToolOffer offer = ToolOffer.Of(options);
        ChatTranscript transcript = TranscriptReader.Read(messages, options.Instructions);
        foreach (AIFunctionDeclaration tool in offer.Tools)
            transcript.AddTool(tool.Name, tool.Description, tool.JsonSchema);
        Effort effort = new(options.Reasoning?.Effort switch
        {
            null => null,
            ReasoningEffort.ExtraHigh => "xhigh",
            { } other => other.ToString().ToLowerInvariant(),
        });
        ChatPrompt prompt = prompts.Write(transcript.Messages, transcript.ToolDefinitions, effort.Variables(null), PromptEnd.Answer);
        AnswerPlan plan = new(prompts, prompt, new AnswerWish
        {
            Tools = [.. transcript.Tools.Where(tool => offer.Name is null || tool.Name == offer.Name)],
            MustCall = offer.IsDemand,
            Several = options.AllowMultipleToolCalls ?? false,
            Form = Form(options.ResponseFormat),
            ThoughtBudget = effort.Budget,
        });
        return new ChatCall(plan, plan.Apply(Generation(options)), Salt(options.AdditionalProperties),
            options.Reasoning?.Output != ReasoningOutput.None);
    }

    /// <summary>What keeps the cache of a call apart from others'.</summary>
    public static byte[] Salt(AdditionalPropertiesDictionary? properties)
    {
        object? value = null;
        properties?.TryGetValue("cache_salt", out value);
        return value switch
        {
            null => [],
            string { Length: > 0 } name => CacheSalt.Of(name),
            _ => throw new ArgumentException(
                $"AdditionalProperties[\"cache_salt\"]: {(value is string ? "an empty text" : value.GetType().Name)}, expected a text"),
        };
    }

    static GenerationOptions Generation(ChatOptions options) => new()
    {
        MaxTokens = options.MaxOutputTokens,
        Stops = [.. options.StopSequences ?? []],
        Sampling = new SamplingOptions
        {
            Temperature = options.Temperature ?? SamplingOptions.Greedy.Temperature,
            TopP = options.TopP ?? SamplingOptions.Greedy.TopP,
            TopK = options.TopK ?? SamplingOptions.Greedy.TopK,
            FrequencyPenalty = options.FrequencyPenalty ?? 0,
            PresencePenalty = options.PresencePenalty ?? 0,
            Seed = unchecked((ulong?)options.Seed),
        },
    };

    static OutputGrammar? Form(ChatResponseFormat? format) => format switch
    {
        null or ChatResponseFormatText => null,
        ChatResponseFormatJson { Schema: { } schema } => Schema(schema),
        ChatResponseFormatJson => OutputGrammar.JsonObject(),
        _ => throw new NotSupportedException($"ResponseFormat: {Printable.Line(format.GetType().Name)}, expected text or JSON"),
    };

    static OutputGrammar Schema(JsonElement schema)
    {
        try
        {
            return OutputGrammar.JsonSchema(schema);
        }
        catch (JsonSchemaException e)
        {
            throw new JsonSchemaException($"ResponseFormat: {e.Message}");
        }
    }
}
