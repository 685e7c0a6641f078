using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Anthropic;

/// <summary>A body of <c>/v1/messages</c>: https://docs.anthropic.com/en/api/messages.</summary>
sealed record MessagesRequest(CompletionRequest Completion, ChatInput Input, bool Streams, bool OmitsThoughts)
{
    static readonly TimeSpan s_ephemeral = TimeSpan.FromMinutes(5);

    public static MessagesRequest Read(Field body, ServedModel model, Principal principal, bool explains)
    {
        string name = RequestReader.CheckModel(body, model);
        int? maxTokens = body["max_tokens"].IsAbsent ? throw body["max_tokens"].Missing("a whole number") : body["max_tokens"].Bound(1);
        ChatInput input = ReadConversation(body);
        ToolChoice choice = Choice(body["tool_choice"], input);
        Thinking thinking = Thinking.OfMessages(body);
        AnswerPlan plan = ChatPlans.Of(model, input, choice, thinking,
            GrammarField.Read(body, body["output_config"]["format"], field => field["schema"]), several: false, End(body, input, thinking));
        int[] prompt = plan.Prompt.Tokens;
        GenerationOptions options = RequestReader.Options(body, maxTokens, RequestReader.Stops(body["stop_sequences"]), model);
        return new MessagesRequest(
            new CompletionRequest
            {
                Endpoint = "/v1/messages",
                Id = $"msg_{Guid.NewGuid():N}",
                Model = name,
                Prompts = [prompt],
                Plan = plan,
                Options = plan.Apply(options) with
                {
                    Retention = model.Retention.Read(body, () => input.TokensBeforeQuestion(model, choice, prompt)),
                },
                Principal = principal,
                Salt = RequestReader.Salt(body, principal),
                Keep = RequestReader.Keep(body, input, choice, model, prompt),
                Explains = explains,
            },
            input, body["stream"].Truth() ?? false, OmitsThoughts: !thinking.Tells);
    }

    /// <summary>A last message of the assistant is gone on with, under the rules of the protocol.</summary>
    public static PromptEnd End(Field body, ChatInput input, Thinking thinking)
    {
        if (!input.EndsWithAnswer)
            return PromptEnd.Answer;
        Field messages = body["messages"];
        if (thinking.Effort.Thinks == true)
            throw messages.Wrong("no last message of the assistant where 'thinking' is enabled: thoughts come before the answer");
        if (input.EndsWithTwoAnswers)
            throw messages.Wrong("one last message of the assistant to go on with, not two");
        return input.OpenText.Length == input.OpenText.TrimEnd().Length
            ? PromptEnd.OpenMessage
            : throw messages.Wrong("a last message of the assistant without white space at its end");
    }

    public static ChatInput ReadConversation(Field body)
    {
        ChatInput input = new();
        foreach (Field tool in body["tools"].Items())
            if (HostedTools.IsToBeRead(tool, "custom", input))
                input.AddTool(tool["name"], tool["description"].Text(), tool["input_schema"]);
        if (!body["system"].IsAbsent)
            input.Add("system", Text(body["system"], input));
        IReadOnlyList<Field> messages = body["messages"].Items();
        if (messages.Count == 0)
            throw body["messages"].Wrong("at least one message");
        foreach (Field message in messages)
            ReadMessage(message, input);
        return input;
    }

    public static ToolChoice Choice(Field field, ChatInput input)
    {
        switch (field["type"].OneOf("auto", "any", "tool", "none"))
        {
            case "tool":
                return ToolChoice.Named(field["name"], input);
            case "any":
                return input.Tools.Count > 0 ? ToolChoice.Of(ToolChoiceKind.Required, input.Tools)
                    : throw field["type"].Wrong("tools to choose from");
            case "none":
                return ToolChoice.Of(ToolChoiceKind.None, []);
            default:
                return ToolChoice.Of(ToolChoiceKind.Auto, input.Tools);
        }
    }

    /// <summary>
    /// A message's thoughts, texts and calls are one message; results of calls come before the text of the user that brings them. Redacted
    /// thoughts are sealed for another server's model.
    /// </summary>
    static void ReadMessage(Field message, ChatInput input)
    {
        string role = message["role"].OneOf("user", "assistant", "system") ?? throw message["role"].Missing("user or assistant");
        if (!message["content"].IsArray)
        {
            input.Add(role, message["content"].IsNull ? "" : message["content"].Text()
                ?? throw message["content"].Missing("a string or a list of blocks"));
            return;
        }
        IReadOnlyList<Field> blocks = message["content"].Items();
        if (blocks.Count == 0)
            input.Add(role, "");
        foreach (Field result in blocks.Where(block => block["type"].Text(64) == "tool_result"))
            input.Add("tool", Text(result["content"], input), json => json["tool_call_id"] = result["tool_use_id"].Text(256));
        Field[] calls = [.. blocks.Where(block => block["type"].Text(64) == "tool_use")];
        Field[] rest =
            [.. blocks.Where(block => block["type"].Text(64) is not ("tool_result" or "tool_use" or "thinking" or "redacted_thinking"))];
        string thoughts = string.Join('\n', blocks.Where(block => block["type"].Text(64) == "thinking")
            .Select(block => block["thinking"].Text() ?? throw block["thinking"].Missing("a string")));
        if (rest.Length > 0 || calls.Length > 0 || thoughts.Length > 0)
            input.Add(role, Text(rest, input), json =>
            {
                if (thoughts.Length > 0)
                    json["reasoning_content"] = thoughts;
                if (calls.Length > 0)
                    json["tool_calls"] = new System.Text.Json.Nodes.JsonArray([.. calls.Select(call => ChatInput.Call(
                        call["id"].Text(256) ?? "", call["name"].Text(256) ?? throw call["name"].Missing("a name"),
                        call["input"].IsAbsent ? "{}" : call["input"].Json.GetRawText()))]);
            });
    }

    static string Text(Field content, ChatInput input) => content.IsAbsent || content.IsString
        ? content.Text() ?? ""
        : Text(content.Items(), input);

    static string Text(IReadOnlyList<Field> blocks, ChatInput input)
    {
        var text = new System.Text.StringBuilder();
        foreach (Field block in blocks)
        {
            if (block["type"].Text(64) is var type && type != "text")
                throw new RequestException(400,
                    $"{block.Path}: {Formats.Printable.Quote(type ?? "")}: this model reads text only, expected 'text'", block.Path);
            text.Append(block["text"].Text() ?? throw block["text"].Missing("a string"));
            if (block["cache_control"] is { IsAbsent: false } control)
                input.Breakpoints.Add(new Breakpoint(input.Messages.Count, text.Length,
                    control["ttl"].IsAbsent ? s_ephemeral : RequestReader.Time(control["ttl"])));
        }
        return text.ToString();
    }
}
