using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Unicode;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.LlamaServer;

/// <summary>The answer of <c>/tokenize</c>: tokens or, with pieces, objects of a token and its text.</summary>
sealed record TokenList(JsonArray Tokens, int Count, int MaxModelLen,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? TokenStrs);

/// <summary>The answer of <c>/detokenize</c>, under the names that different clients know.</summary>
sealed record TokenText(string Content, string Prompt);

/// <summary>The answer of <c>/tokenizer_info</c>; a token that the vocabulary has not is null.</summary>
sealed record TokenizerInfo(string TokenizerClass, string? BosToken, string? EosToken, string? PadToken, string? UnkToken,
    int ModelMaxLength, string ChatTemplate);

/// <summary>
/// <c>GET /tokenizer_info</c>, <c>POST /tokenize</c> and <c>/detokenize</c>, in llama-server's terms (<c>content</c>) and in vLLM's
/// (<c>prompt</c>, <c>messages</c>).
/// </summary>
static class Tokens
{
    public static Task Tokenize(HttpContext context, ServedModel model) =>
        RequestFields.Read(context, Endpoints.Tokenize, async body =>
        {
            RequestReader.CheckModel(body, model);
            Tokenizer tokenizer = model.Engine.Model.Tokenizer;
            int[] tokens = Encode(body, model);
            bool hasPieces = body["with_pieces"].Truth() == true;
            IReadOnlyList<string>? texts = body["return_token_strs"].Truth() == true
                ? [.. tokens.Select(token => TokenLogprob.Text(token, tokenizer))]
                : null;
            await context.Response.WriteAsJsonAsync(new TokenList(
                [.. tokens.Select(JsonNode? (token) => hasPieces ? Piece(token, tokenizer) : JsonValue.Create(token))],
                tokens.Length, model.Engine.Context, texts), LlamaServerJson.Wire.TokenList);
        });

    /// <summary>
    /// What vLLM tells of a tokenizer, as far as there is such a thing here: evaluations see by it that they need none of their own.
    /// </summary>
    public static Task Tell(HttpContext context, ServedModel model)
    {
        Tokenizer tokenizer = model.Engine.Model.Tokenizer;
        string? Spelling(int? token) => token is { } id ? tokenizer.Text(id) : null;
        TokenizerInfo info = new("Kvasir", Spelling(tokenizer.Bos), Spelling(tokenizer.Eos), Spelling(tokenizer.Pad),
            Spelling(tokenizer.Unknown), model.Engine.Context, model.Prompts.Template);
        return context.Response.WriteAsJsonAsync(info, LlamaServerJson.Wire.TokenizerInfo);
    }

    public static Task Detokenize(HttpContext context, ServedModel model) =>
        RequestFields.Read(context, Endpoints.Detokenize, async body =>
        {
            RequestReader.CheckModel(body, model);
            Tokenizer tokenizer = model.Engine.Model.Tokenizer;
            string text = tokenizer.Decode(body["tokens"].Wholes(1 << 20, tokenizer.VocabularySize - 1), ControlTokens.Shown);
            await context.Response.WriteAsJsonAsync(new TokenText(text, text), LlamaServerJson.Wire.TokenText);
        });

    /// <summary>A token with its text, or with its bytes where they are part of a character.</summary>
    static JsonObject Piece(int token, Tokenizer tokenizer)
    {
        ReadOnlySpan<byte> bytes = tokenizer.Bytes(token);
        JsonNode piece = Utf8.IsValid(bytes)
            ? JsonValue.Create(TokenLogprob.Text(token, tokenizer))
            : new JsonArray([.. bytes.ToArray().Select(value => JsonValue.Create((int)value))]);
        return new JsonObject { ["id"] = token, ["piece"] = piece };
    }

    static int[] Encode(Field body, ServedModel model)
    {
        body.CheckAlternatives("content", "prompt", "messages");
        if (!body["messages"].IsAbsent)
            return EncodeChat(body, model);
        body.CheckOnlyWith("messages", ChatRequest.PromptFields);
        body.CheckAlternatives("add_special", "add_special_tokens");
        Tokenizer tokenizer = model.Engine.Model.Tokenizer;
        Field content = body["content"].IsAbsent ? body["prompt"] : body["content"];
        string text = content.Text() ?? throw content.Missing("a text, as 'content' or 'prompt', or 'messages'");
        bool opens = body["add_special"].Truth() ?? body["add_special_tokens"].Truth() ?? false;
        int[] tokens = body["parse_special"].Truth() ?? true ? tokenizer.EncodeTemplate(text) : tokenizer.Encode(text);
        return opens ? [.. tokenizer.Opening, .. tokens] : tokens;
    }

    static int[] EncodeChat(Field body, ServedModel model)
    {
        foreach (string name in (string[])["add_special", "add_special_tokens"])
            if (body[name].Truth() == true)
                throw body[name].Wrong("false: the chat template writes them");
        return body["parse_special"].Truth() is null or true
            ? ChatRequest.Encode(body, model)
            : throw body["parse_special"].Wrong("true: frames of chats are control tokens");
    }
}
