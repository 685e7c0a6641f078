using System.Text.Json.Serialization;
using Kvasir.Inference.Tokenization;
using Kvasir.Server.Http;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary>The answer of <c>/tokenize</c>.</summary>
sealed record TokenList(IReadOnlyList<int> Tokens, int Count, int MaxModelLen,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Pieces);

/// <summary>The answer of <c>/detokenize</c>, under the names that different clients know.</summary>
sealed record TokenText(string Content, string Prompt);

/// <summary>
/// <c>POST /tokenize</c> and <c>/detokenize</c>, in llama-server's terms (<c>content</c>) and in vLLM's (<c>prompt</c>, <c>messages</c>).
/// </summary>
static class Tokens
{
    public static async Task Tokenize(HttpContext context, ServedModel model)
    {
        using var json = await RequestBody.Read(context);
        Field body = new("", json.RootElement);
        Tokenizer tokenizer = model.Engine.Model.Tokenizer;
        int[] tokens = Encode(body, model);
        await context.Response.WriteAsJsonAsync(
            new TokenList(tokens, tokens.Length, model.Engine.Context,
                body["with_pieces"].Truth() == true ? [.. tokens.Select(token => TokenLogprob.Text(token, tokenizer))] : null),
            OpenAiJson.Wire.TokenList);
    }

    public static async Task Detokenize(HttpContext context, ServedModel model)
    {
        using var json = await RequestBody.Read(context);
        Field tokens = new Field("", json.RootElement)["tokens"];
        Tokenizer tokenizer = model.Engine.Model.Tokenizer;
        string text = tokenizer.Decode([.. tokens.Items(1 << 20)
            .Select(token => token.Whole(0, tokenizer.VocabularySize - 1) ?? throw token.Missing("a token"))], ControlTokens.Shown);
        await context.Response.WriteAsJsonAsync(new TokenText(text, text), OpenAiJson.Wire.TokenText);
    }

    static int[] Encode(Field body, ServedModel model)
    {
        if (!body["messages"].IsAbsent)
            return ChatRequest.Encode(body, model);
        Tokenizer tokenizer = model.Engine.Model.Tokenizer;
        Field content = body["content"].IsAbsent ? body["prompt"] : body["content"];
        string text = content.Text() ?? throw content.Missing("a text, as 'content' or 'prompt', or 'messages'");
        bool opens = body["add_special"].Truth() ?? body["add_special_tokens"].Truth() ?? false;
        int[] tokens = body["parse_special"].Truth() ?? true ? tokenizer.EncodeTemplate(text) : tokenizer.Encode(text);
        return opens ? [.. tokenizer.Opening, .. tokens] : tokens;
    }
}
