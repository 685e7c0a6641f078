using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Chat.Answers;
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
            ToolChoice choice = ToolChoice.Of(ToolChoiceKind.Auto, input.Tools);
            AnswerPlan plan = ChatPlans.Of(model, input, choice, Thinking.OfOllama(body["think"]), GrammarField.ReadFormat(body["format"]),
                several: true, input.EndsWithAnswer ? PromptEnd.OpenMessage : PromptEnd.Answer);
            OllamaQuery query = OllamaQuery.Read(context, body, plan.Prompt.Tokens, plan, "/api/chat", model,
                () => input.TokensBeforeQuestion(model, choice, plan.Prompt.Tokens));
            return service.Serve(context, query.Completion, run => new OllamaWriter(context, model, query, run) { IsChat = true }.Write());
        });

    static ChatInput ReadConversation(Field body)
    {
        ChatInput input = new();
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
