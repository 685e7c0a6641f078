using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>A body of <c>/v1/responses</c>: https://platform.openai.com/docs/api-reference/responses.</summary>
/// <param name="Completion">What the model is asked.</param>
/// <param name="Answer">The answer before anything of it is there.</param>
/// <param name="Items">All items of the conversation up to here, to be kept with the answer; null for one that is not.</param>
/// <param name="Input">The conversation.</param>
/// <param name="Streams">Whether it goes out as it comes.</param>
sealed record ResponsesRequest(CompletionRequest Completion, Response Answer, JsonArray? Items, ChatInput Input, bool Streams)
{
    /// <summary>Whether thoughts are told where a summary of them would be: many clients look for them nowhere else.</summary>
    public bool SummarizesThoughts { get; init; }

    public static ResponsesRequest Read(Field body, ServedModel model, Principal principal, ResponseStore store, bool explains)
    {
        string name = RequestReader.CheckModel(body, model);
        JsonArray items = body["previous_response_id"].Text(256) is { } previous
            ? store.Find(previous, principal, "previous_response_id", "previous_response_not_found").Conversation()
            : [];
        ChatInput input = ReadConversation(body, items);
        if (body["instructions"].Text() is { } instructions)
            input.Messages.Insert(0, new JsonObject { ["role"] = "system", ["content"] = instructions });
        ToolChoice choice = ToolChoice.Read(body["tool_choice"], input);
        AnswerPlan plan = ChatPlans.Of(model, input, choice, Thinking.OfResponses(body),
            GrammarField.Read(body, body["text"]["format"], field => field["schema"]),
            several: body["parallel_tool_calls"].Truth() ?? false, PromptEnd.Answer);
        int[] prompt = plan.Prompt.Tokens;
        CompletionRequest completion = new()
        {
            Endpoint = "/v1/responses",
            Id = store.NewId(),
            Model = name,
            Prompts = [prompt],
            Plan = plan,
            Options = plan.Apply(RequestReader.Options(body, body["max_output_tokens"].Bound(1), RequestReader.Stops(body["stop"]),
                model)) with
            {
                Retention = model.Retention.Read(body, () => input.TokensBeforeQuestion(model, choice, prompt)),
            },
            Principal = principal,
            Salt = RequestReader.Salt(body, principal),
            Keep = RequestReader.Keep(body, input, choice, model, prompt),
            Explains = explains,
        };
        InputItems.Add(items, body["input"]);
        return new ResponsesRequest(completion, AnswerOf(body, completion.Id, name), body["store"].Truth() ?? true ? items : null, input,
            body["stream"].Truth() ?? false)
        {
            SummarizesThoughts = WantsSummary(body["reasoning"]),
        };
    }

    static bool WantsSummary(Field reasoning)
    {
        string? wish = reasoning["summary"].OneOf("auto", "concise", "detailed");
        return (reasoning["generate_summary"].OneOf("auto", "concise", "detailed") ?? wish) is not null;
    }

    /// <summary>The messages and tools of a body.</summary>
    /// <param name="body">The body.</param>
    /// <param name="before">The items of the conversation that it goes on with.</param>
    static ChatInput ReadConversation(Field body, JsonArray before)
    {
        ChatInput input = new();
        foreach (JsonNode? item in before)
            ReadItem(new Field("previous_response_id", JsonElement.Parse(item!.ToJsonString())), input);
        if (body["input"].IsString)
            input.Add("user", body["input"].Text());
        else
            foreach (Field item in body["input"].Items())
                ReadItem(item, input);
        if (input.Messages.Count == 0)
            throw body["input"].Wrong("a string or at least one item");
        foreach (Field tool in body["tools"].Items())
            if (HostedTools.IsToBeRead(tool, "function", input))
                input.AddTool(tool["name"], tool["description"].Text(), tool["parameters"]);
        return input;
    }

    static void ReadItem(Field item, ChatInput input)
    {
        switch (item["type"].Text(64) ?? "message")
        {
            case "message":
                string role = item["role"].OneOf("user", "assistant", "system", "developer")
                    ?? throw item["role"].Missing("user, assistant, system or developer");
                if (role == "assistant")
                    input.AddText(Text(item["content"], input));
                else
                    input.Add(role == "developer" ? "system" : role, Text(item["content"], input));
                break;
            case "function_call":
                string tool = item["name"].Text(256) ?? throw item["name"].Missing("a name");
                input.AddCall(item["call_id"].Text(256) ?? "", tool, item["arguments"].Text() ?? "{}");
                break;
            case "function_call_output":
                input.Add("tool", Text(item["output"], input), json => json["tool_call_id"] = item["call_id"].Text(256));
                break;
            case "reasoning":
                input.AddThoughts(Thoughts(item));
                break;
            default:
                throw item["type"].Wrong("message, reasoning, function_call or function_call_output");
        }
    }

    /// <summary>What is told of thoughts: all of them, or a summary where that is all. Sealed ones are of another server's model.</summary>
    static string Thoughts(Field item)
    {
        IReadOnlyList<Field> content = item["content"].Items(), parts = content.Count > 0 ? content : item["summary"].Items();
        return string.Join('\n', parts.Select(part => part["text"].Text() ?? throw part["text"].Missing("a string")));
    }

    static string Text(Field content, ChatInput input)
    {
        if (!content.IsArray)
            return content.IsNull ? "" : content.Text() ?? throw content.Missing("a string or a list of parts");
        var text = new System.Text.StringBuilder();
        foreach (Field part in content.Items())
        {
            if (part["type"].Text(64) is not ("input_text" or "output_text" or "text"))
                throw part["type"].Wrong("'input_text': this model reads text only");
            text.Append(part["text"].Text() ?? throw part["text"].Missing("a string"));
            if (!part["prompt_cache_breakpoint"].IsAbsent)
                input.Breakpoints.Add(new Breakpoint(input.Messages.Count, text.Length, TimeSpan.FromMinutes(30)));
        }
        return text.ToString();
    }

    /// <summary>The answer before anything of it is there: what it says again of the request.</summary>
    static Response AnswerOf(Field body, string id, string model)
    {
        return new Response
        {
            Id = id,
            CreatedAt = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
            Model = model,
            Instructions = Said("instructions", "null"),
            MaxOutputTokens = Said("max_output_tokens", "null"),
            PreviousResponseId = Said("previous_response_id", "null"),
            Temperature = Said("temperature", "1"),
            TopP = Said("top_p", "1"),
            Tools = Said("tools", "[]"),
            ToolChoice = Said("tool_choice", "\"auto\""),
            ParallelToolCalls = Said("parallel_tool_calls", "true"),
            Metadata = Said("metadata", "{}"),
            Store = Said("store", "true"),
            Truncation = Said("truncation", "\"disabled\""),
            User = Said("user", "null"),
            Text = Said("text", """{"format":{"type":"text"}}"""),
            Reasoning = Said("reasoning", """{"effort":null,"summary":null}"""),
        };

        JsonElement Said(string name, string unsaid) => body[name].IsAbsent ? JsonElement.Parse(unsaid) : body[name].Kept;
    }
}
