using Kvasir.Inference.Scheduling;
using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Anthropic;

/// <summary>A body of <c>/v1/messages</c>: https://docs.anthropic.com/en/api/messages.</summary>
sealed record MessagesRequest(CompletionRequest Completion, bool Streams, bool UsesTools)
{
    static readonly TimeSpan s_ephemeral = TimeSpan.FromMinutes(5);

    public static MessagesRequest Read(Field body, ServedModel model, Principal principal, bool explains)
    {
        string name = RequestReader.CheckModel(body, model);
        int? maxTokens = body["max_tokens"].IsAbsent ? throw body["max_tokens"].Missing("a whole number") : body["max_tokens"].Bound(1);
        ChatInput input = ReadConversation(body);
        ToolChoice choice = Choice(body["tool_choice"], input).For(model);
        int[] prompt = input.Encode(model, choice, most: model.Engine.Context);
        GenerationOptions options = RequestReader.Options(body, maxTokens, RequestReader.Stops(body["stop_sequences"]), model);
        if (prompt.Length >= model.Engine.Context)
            throw new ContextExceededException(prompt.Length + 1, model.Engine.Context, model.Engine.Model.Config.Context);
        return new MessagesRequest(
            new CompletionRequest
            {
                Endpoint = "/v1/messages",
                Id = $"msg_{Guid.NewGuid():N}",
                Model = name,
                Prompts = [prompt],
                Options = options with
                {
                    Grammar = choice.Kind == ToolChoiceKind.Required
                        ? model.Prompts.Tools!.Calls(choice.Tools, several: false)
                        : GrammarField.Read(body, body["output_config"]["format"], field => field["schema"]),
                    Retention = model.Retention.Read(body, () => input.TokensBeforeQuestion(model, choice, prompt)),
                },
                Principal = principal,
                Salt = RequestReader.Salt(body, principal),
                Keep = RequestReader.Keep(body, input, choice, model, prompt),
                Explains = explains,
            },
            body["stream"].Truth() ?? false, choice.Kind != ToolChoiceKind.None);
    }

    public static ChatInput ReadConversation(Field body)
    {
        ChatInput input = new();
        foreach (Field tool in body["tools"].Items())
        {
            tool["type"].OneOf("custom"); // others are tools that Anthropic runs itself
            input.AddTool(tool["name"], tool["description"].Text(), tool["input_schema"]);
        }
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
            case "any" when input.Tools.Count > 0:
                return new ToolChoice(ToolChoiceKind.Required, input.Tools);
            case "none":
                return new ToolChoice(ToolChoiceKind.None, input.Tools);
            default:
                return new ToolChoice(input.Tools.Count > 0 ? ToolChoiceKind.Auto : ToolChoiceKind.None, input.Tools);
        }
    }

    /// <summary>A message's texts and calls are one message; results of calls come before the text of the user that brings them.</summary>
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
        if (rest.Length > 0 || calls.Length > 0)
            input.Add(role, Text(rest, input), json =>
            {
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
