using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Cli;
using Kvasir.Cli.Verbs;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.ExtensionsAI;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;
using Kvasir.Server;
using Kvasir.Server.Anthropic;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Templates;
using Microsoft.Extensions.AI;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace Kvasir.Tests.Chat;

/// <summary>A turn of a conversation.</summary>
readonly record struct Said(string Role, string Content);

/// <summary>All roads that a conversation may come by, before a tiny model with a template of the corpus.</summary>
sealed class Roads : IDisposable
{
    public const string Instruction = "Answer from this document.\n";

    static readonly GenerationOptions s_promptOnly = new() { MaxTokens = 0 };

    /// <summary>One conversation with a call and its result, in the words of three protocols.</summary>
    static readonly JsonNode s_calls = JsonNode.Parse("""
        {"openai": {
           "messages": [
             {"role": "system", "content": "Go."}, {"role": "user", "content": "Weather?"},
             {"role": "assistant", "content": "I look.", "tool_calls": [
               {"id": "abc123def", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Tromsø\"}"}}]},
             {"role": "tool", "tool_call_id": "abc123def", "content": "cold"}],
           "tools": [{"type": "function", "function": {"name": "weather", "description": "Tells it.",
             "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]},
         "responses": {
           "input": [
             {"role": "system", "content": "Go."}, {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "I look."},
             {"type": "function_call", "call_id": "abc123def", "name": "weather", "arguments": "{\"city\": \"Tromsø\"}"},
             {"type": "function_call_output", "call_id": "abc123def", "output": "cold"}],
           "tools": [{"type": "function", "name": "weather", "description": "Tells it.",
             "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]},
         "anthropic": {
           "max_tokens": 1, "system": "Go.",
           "messages": [
             {"role": "user", "content": "Weather?"},
             {"role": "assistant", "content": [
               {"type": "text", "text": "I look."},
               {"type": "tool_use", "id": "abc123def", "name": "weather", "input": {"city": "Tromsø"}}]},
             {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "abc123def", "content": "cold"}]}],
           "tools": [{"name": "weather", "description": "Tells it.",
             "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]}}
        """)!;

    readonly TemporaryFolder _folder = new();
    readonly ServedModel _served;

    public Roads(string template)
    {
        var model = new TinyModel { ContextLength = 4096, Frames = Corpus.Frames }.Build();
        model.Set("tokenizer.chat_template", Corpus.Source(template));
        model.Write(_folder["tiny.gguf"]);
        Model = LanguageModel.Load(_folder["tiny.gguf"]);
        Engine = new InferenceEngine(Model, new EngineOptions { Context = 4096, Threads = 1 });
        Prompts = new ChatPrompts(Model.Tokenizer);
        _served = new ServedModel(Engine, "tiny", chatTemplate: null);
    }

    public LanguageModel Model { get; }

    public InferenceEngine Engine { get; }

    public ChatPrompts Prompts { get; }

    /// <summary>What each road makes of a conversation: its tokens, or why the template refuses it.</summary>
    public IEnumerable<(string Road, string Outcome)> Of(params Said[] turns)
    {
        if (turns is [{ Role: "user" }] or [{ Role: "system" }, { Role: "user" }])
            yield return ("run, kv", Outcome(() => CommandLine(turns)));
        yield return ("chat, run --session", Outcome(() => Resumed(turns)));
        yield return ("/v1/chat/completions", Outcome(() => Completions(OpenAi(turns))));
        yield return ("/v1/kv and /tokenize", Outcome(() => ChatRequest.Encode(Field(OpenAi(turns)), _served)));
        yield return ("/v1/responses", Outcome(() => Responses(OpenAi(turns, "input"))));
        yield return ("/v1/messages", Outcome(() => Messages(Anthropic(turns))));
        ChatMessage[] messages = [.. turns.Select(turn => new ChatMessage(new ChatRole(turn.Role), turn.Content))];
        yield return ("IChatClient", Outcome(() => Client(messages)));
    }

    /// <summary>What each protocol makes of a conversation in which a tool was called.</summary>
    public IEnumerable<(string Road, string Outcome)> OfToolCall()
    {
        yield return ("/v1/chat/completions", Outcome(() => Completions(s_calls["openai"]!.AsObject())));
        yield return ("/v1/responses", Outcome(() => Responses(s_calls["responses"]!.AsObject())));
        yield return ("/v1/messages", Outcome(() => Messages(s_calls["anthropic"]!.AsObject())));
        FunctionCallContent call = new("abc123def", "weather", new Dictionary<string, object?> { ["city"] = "Tromsø" });
        ChatMessage[] messages =
        [
            new(ChatRole.System, "Go."), new(ChatRole.User, "Weather?"), new(ChatRole.Assistant, [new TextContent("I look."), call]),
            new(ChatRole.Tool, [new FunctionResultContent("abc123def", "cold")]),
        ];
        JsonElement schema = JsonElement.Parse(s_calls["anthropic"]!["tools"]![0]!["input_schema"]!.ToJsonString());
        ChatOptions options = new() { Tools = [AIFunctionFactory.CreateDeclaration("weather", "Tells it.", schema)] };
        yield return ("IChatClient", Outcome(() => Client(messages, options)));
    }

    /// <summary>The prompt of a question behind a system prompt that a client wants kept, and how many of its tokens are.</summary>
    public (int[] Prompt, int Kept) KeptAfterSystem(string system, string question)
    {
        JsonObject body = Anthropic([new("user", question)]);
        JsonObject keep = new() { ["type"] = "ephemeral" };
        body["system"] = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = system, ["cache_control"] = keep });
        CompletionRequest request = MessagesRequest.Read(Field(body), _served, Principal.Anyone, explains: false).Completion;
        return (request.Prompts[0], request.Keep!.Tokens);
    }

    public static string Outcome(Func<int[]> tokens)
    {
        try
        {
            return string.Join(' ', tokens());
        }
        catch (TemplateException e)
        {
            return e.Message;
        }
    }

    int[] CommandLine(Said[] turns)
    {
        string? document = turns.Length == 2 ? turns[0].Content[Instruction.Length..] : null;
        Asked asked = new(turns[^1].Content, document, IsRaw: false);
        return asked.Tokens(Model.Tokenizer, PromptStyle.From(Model.Metadata), () => Prompts);
    }

    int[] Resumed(Said[] turns)
    {
        ChatTranscript before = new();
        foreach (Said turn in turns[..^1])
            before.Add(turn.Role, turn.Content);
        using var conversation = new Conversation(Engine, Prompts);
        conversation.Resume(before);
        conversation.Say(turns[^1].Content, s_promptOnly, _ => { }, TestContext.Current.CancellationToken);
        return conversation.Tokens.ToArray();
    }

    int[] Completions(JsonObject body) =>
        ChatRequest.Read(Field(body), _served, Principal.Anyone, new ServingOptions(MaxChoices: 1, ShowsText: true),
            explains: false).Completion.Prompts[0];

    int[] Responses(JsonObject body) =>
        ResponsesRequest.Read(Field(body), _served, Principal.Anyone, new ResponseStore("00"), explains: false).Completion.Prompts[0];

    int[] Messages(JsonObject body) => MessagesRequest.Read(Field(body), _served, Principal.Anyone, explains: false).Completion.Prompts[0];

    int[] Client(ChatMessage[] messages, ChatOptions? options = null) => CallReader.Read(messages, options, Prompts).Plan.Prompt.Tokens;

    static JsonObject OpenAi(Said[] turns, string name = "messages") =>
        new() { [name] = new JsonArray([.. turns.Select(turn => new JsonObject { ["role"] = turn.Role, ["content"] = turn.Content })]) };

    static JsonObject Anthropic(Said[] turns)
    {
        JsonObject body = OpenAi([.. turns.Where(turn => turn.Role != "system")]);
        body["max_tokens"] = 1;
        if (turns[0].Role == "system")
            body["system"] = turns[0].Content;
        return body;
    }

    static Field Field(JsonObject body) => new("", JsonElement.Parse(body.ToJsonString()));

    public void Dispose()
    {
        Engine.Dispose();
        Model.Dispose();
        _folder.Dispose();
    }
}
