using System.Text.Json;
using Kvasir.Formats;
using Kvasir.Inference.Chat;
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
        ToolOffer offer = ToolOffer.Of(options, prompts.Tools);
        ChatTranscript transcript = TranscriptReader.Read(messages, options.Instructions);
        foreach (AIFunctionDeclaration tool in offer.Tools)
            transcript.AddTool(tool.Name, tool.Description, tool.JsonSchema);
        GenerationOptions generation = Generation(options) with { Grammar = Grammar(options, offer, transcript.Tools, prompts.Tools) };
        int[] prompt = prompts.Encode(transcript.Messages, transcript.ToolDefinitions);
        return new ChatCall(prompt, generation, Salt(options.AdditionalProperties), offer.Tools.Count > 0);
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

    /// <summary>
    /// What the answer may be: calls where they are demanded, calls or the wanted form where there is one; null for anything.
    /// </summary>
    static OutputGrammar? Grammar(ChatOptions options, ToolOffer offer, List<Tool> tools, ToolFormat? format)
    {
        OutputGrammar? form = Form(options.ResponseFormat);
        if (tools.Count == 0 || (!offer.IsDemand && form is null))
            return form;
        OutputGrammar calls = format!.Calls([.. tools.Where(tool => offer.Name is null || tool.Name == offer.Name)],
            options.AllowMultipleToolCalls ?? false);
        return offer.IsDemand ? calls : OutputGrammar.AnyOf(calls, form!);
    }

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
