using System.Text.Json.Nodes;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary><c>POST /api/chat</c>.</summary>
static class Chat
{
    public static Task Handle(HttpContext context, CompletionService service) =>
        RequestFields.Read(context, Endpoints.OllamaChat, body =>
        {
            ServedModel model = service.Model;
            ModelName.Read(body, model);
            OllamaQuery.Unloads(body["keep_alive"]);
            ChatInput input = ReadConversation(body);
            if (input.Messages.Count == 0)
                return context.Response.WriteAsJsonAsync(
                    OllamaQuery.Nothing(body, model) with { Message = new OllamaMessage("assistant", "") }, OllamaJson.Wire.OllamaAnswer);
            ToolChoice choice = ToolChoice.Read(default, input).For(model);
            int[] prompt = input.Encode(model, choice, most: model.Engine.Context);
            OllamaQuery query = OllamaQuery.Read(context, body, prompt, "/api/chat", model,
                () => input.TokensBeforeQuestion(model, choice, prompt));
            return service.Serve(context, query.Completion, run => new OllamaWriter(context, model, query, run)
            {
                IsChat = true, UsesTools = choice.Kind != ToolChoiceKind.None,
            }.Write());
        });

    static ChatInput ReadConversation(Field body)
    {
        ChatInput input = new() { More = Thoughts.Variables(body["think"]) };
        foreach (Field message in body["messages"].Items())
            ReadMessage(message, input);
        foreach (Field tool in body["tools"].Items())
        {
            tool["type"].OneOf("function");
            input.AddTool(tool["function"]["name"], tool["function"]["description"].Text(), tool["function"]["parameters"]);
        }
        return input;
    }

    static void ReadMessage(Field message, ChatInput input)
    {
        string role = message["role"].OneOf("system", "user", "assistant", "tool") ?? throw message["role"].Missing("system, user, assistant or tool");
        OllamaQuery.CheckImages(message["images"]);
        IReadOnlyList<Field> calls = message["tool_calls"].Items(256);
        input.Add(role, message["content"].Text(), json =>
        {
            if (message["thinking"].Text() is { Length: > 0 } thoughts)
                json["reasoning_content"] = thoughts;
            if ((message["tool_name"].Text(256) ?? message["name"].Text(256)) is { } tool)
                json["name"] = tool;
            if (message["tool_call_id"].Text(256) is { } id)
                json["tool_call_id"] = id;
            if (calls.Count > 0)
                json["tool_calls"] = new JsonArray([.. calls.Select(Call)]);
        });
    }

    static JsonObject Call(Field call, int index)
    {
        Field arguments = call["function"]["arguments"];
        return ChatInput.Call(call["id"].Text(256) ?? $"call_{index}", call["function"]["name"].Text(256)
            ?? throw call["function"]["name"].Missing("a name"), arguments.IsAbsent ? "{}" : arguments.IsObject ? arguments.Json.GetRawText()
            : throw arguments.Wrong("an object"));
    }
}
