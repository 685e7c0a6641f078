using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>A body of <c>/v1/chat/completions</c>.</summary>
sealed record ChatRequest(CompletionRequest Completion, ChatInput Input, bool Streams, bool IncludesUsage)
{
    /// <summary>Fields that change the prompt of a conversation, besides its messages.</summary>
    public static IReadOnlyList<string> PromptFields { get; } = [
        "tools", "tool_choice", "chat_template_kwargs", "add_generation_prompt", "continue_final_message", "enable_thinking", "reasoning_effort",
    ];

    public static ChatRequest Read(Field body, ServedModel model, Principal principal, ServingOptions options, bool explains)
    {
        string name = RequestReader.CheckModel(body, model);
        ChatInput input = ReadConversation(body);
        ToolChoice choice = ToolChoice.Read(body["tool_choice"], input);
        Thinking thinking = Thinking.OfChat(body);
        AnswerPlan plan = ChatPlans.Of(model, input, choice, thinking,
            GrammarField.Read(body, body["response_format"], field => field["json_schema"]["schema"]),
            several: body["parallel_tool_calls"].Truth() ?? false, ChatPlans.End(body, input, model.Defaults.GoesOnWithAnswers));
        int[] prompt = plan.Prompt.Tokens;
        int? predicted = RequestReader.Predicted(body), maxTokens = body["max_tokens"].Bound(0) ?? predicted;
        GenerationOptions generation = RequestReader.Options(body, body["max_completion_tokens"].Bound(0) ?? maxTokens,
            RequestReader.Stops(body["stop"]), model);
        return new ChatRequest(
            new CompletionRequest
            {
                Endpoint = "/v1/chat/completions",
                Id = $"chatcmpl-{Guid.NewGuid():N}",
                Model = name,
                Prompts = [prompt],
                PerPrompt = body["n"].Whole(1, options.MaxChoices) ?? 1,
                Plan = plan,
                TellsThoughts = thinking.Tells,
                Options = plan.Apply(generation) with
                {
                    TopLogprobs = TopLogprobs(body),
                    PromptLogprobs = PromptLogprob.Wish(body),
                    Speculative = generation.Speculative with
                    {
                        Prediction = SpeculativeField.Prediction(body["prediction"], model.Engine.Model.Tokenizer),
                    },
                    Retention = model.Retention.Read(body, () => input.TokensBeforeQuestion(model, choice, prompt)),
                },
                PromptLogprobs = PromptLogprob.Wish(body),
                Principal = principal,
                Salt = RequestReader.Salt(body, principal),
                Keep = RequestReader.Keep(body, input, choice, model, prompt),
                Explains = explains,
                TellsProgress = RequestReader.TellsProgress(body),
                TellsTimings = RequestReader.TellsTimings(body),
                TellsRaw = body["verbose"].Truth() ?? model.Defaults.TellsRaw,
            },
            input, body["stream"].Truth() ?? false, body["stream_options"]["include_usage"].Truth() ?? false);
    }

    /// <summary>
    /// The tokens of a body's conversation, as a completion of it has them.
    /// </summary>
    public static int[] Encode(Field body, ServedModel model) => Prompt(body, model).Tokens;

    static ChatPrompt Prompt(Field body, ServedModel model)
    {
        ChatInput input = ReadConversation(body);
        return input.Write(model, ToolChoice.Read(body["tool_choice"], input), Thinking.OfChat(body),
            ChatPlans.End(body, input, model.Defaults.GoesOnWithAnswers));
    }

    /// <summary>What the chat template makes of a body's conversation, before it becomes tokens.</summary>
    public static string Write(Field body, ServedModel model) => Prompt(body, model).Text;

    /// <summary>The messages and tools of a body, and what it tells the template.</summary>
    static ChatInput ReadConversation(Field body)
    {
        ChatInput input = new() { More = body["chat_template_kwargs"].Copy() };
        IReadOnlyList<Field> messages = body["messages"].Items();
        if (messages.Count == 0)
            throw body["messages"].Wrong("at least one message");
        foreach (Field message in messages)
            ReadMessage(message, input, body);
        foreach (Field tool in body["tools"].Items())
            if (HostedTools.IsToBeRead(tool, "function", input))
                input.AddTool(tool["function"]["name"], tool["function"]["description"].Text(), tool["function"]["parameters"]);
        return input;
    }

    static void ReadMessage(Field message, ChatInput input, Field body)
    {
        string role = message["role"].OneOf("system", "developer", "user", "assistant", "tool", "function")
            ?? throw message["role"].Missing("system, user, assistant or tool");
        string? content = Content(message["content"], input, body);
        IReadOnlyList<Field> calls = message["tool_calls"].Items(256);
        if (content is null && calls.Count == 0 && role != "assistant")
            throw message["content"].Missing("a string or a list of parts");
        input.Add(role == "developer" ? "system" : role, content, json =>
        {
            if (message["name"].Text(256) is { } name)
                json["name"] = name;
            if ((message["reasoning_content"].Text() ?? message["reasoning"].Text()) is { Length: > 0 } thoughts)
                json["reasoning_content"] = thoughts;
            if (message["tool_call_id"].Text(256) is { } id)
                json["tool_call_id"] = id;
            if (calls.Count > 0)
                json["tool_calls"] =
                    new JsonArray([.. calls.Select(call => ChatInput.Call(call["id"].Text(256) ?? "", call["function"]["name"].Text(256)
                        ?? throw call["function"]["name"].Missing("a name"), call["function"]["arguments"].Text() ?? "{}"))]);
        });
    }

    /// <summary>
    /// A string, or parts that are text; breakpoints among them are noted. Null says nothing, as others have it, and is no mistake.
    /// </summary>
    static string? Content(Field content, ChatInput input, Field body)
    {
        if (content.IsAbsent || content.IsString)
            return content.IsNull ? "" : content.Text();
        if (!content.IsArray)
            throw content.Wrong("a string or a list of parts");
        var text = new System.Text.StringBuilder();
        foreach (Field part in content.Items())
        {
            if (part.IsString)
            {
                text.Append(part.Text());
                continue;
            }
            string type = part["type"].Text(64) ?? throw part["type"].Missing("'text'");
            if (type is not ("text" or "input_text" or "output_text" or "refusal"))
                throw new RequestException(400,
                    $"{part.Path}: {Formats.Printable.Quote(type)}: this model reads text only, expected 'text'",
                    part.Path, "unsupported_content");
            text.Append(part[type == "refusal" ? "refusal" : "text"].Text() ?? throw part["text"].Missing("a string"));
            if (!part["prompt_cache_breakpoint"].IsAbsent)
                input.Breakpoints.Add(
                    new Breakpoint(input.Messages.Count, text.Length, RequestReader.Ttl(body) ?? TimeSpan.FromMinutes(30)));
            else if (!part["cache_control"].IsAbsent)
                input.Breakpoints.Add(new Breakpoint(input.Messages.Count, text.Length,
                    part["cache_control"]["ttl"] is { IsAbsent: false } ttl ? RequestReader.Time(ttl) : TimeSpan.FromMinutes(5)));
        }
        return text.ToString();
    }

    static int? TopLogprobs(Field body)
    {
        bool wanted = body["logprobs"].Truth() ?? false;
        int? top = body["top_logprobs"].Whole(0, GenerationOptions.MostLogprobs);
        return wanted ? top ?? 0 : top is > 0 ? throw body["logprobs"].Wrong("true, because top_logprobs asks for some") : null;
    }
}
