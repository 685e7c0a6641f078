using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>
/// Most bytes of a body that holds one prompt: a prompt has at least as many tokens as its characters over those of the longest token, so
/// a longer body need not be understood to know that its prompt does not fit. A megabyte is left for tools, schemas and what templates
/// leave out.
/// </summary>
/// <param name="Context">Tokens that a prompt may have.</param>
/// <param name="LongestToken">Characters of the longest token.</param>
sealed record BodyLimit(int Context, int LongestToken)
{
    const int BytesBesides = 1 << 20, BytesPerCharacter = 6; // as JSON escapes them: \u0041

    static readonly HashSet<string> s_onePrompt =
    [
        "/v1/chat/completions", "/v1/responses", "/v1/responses/input_tokens", "/v1/messages", "/v1/messages/count_tokens",
        "/chat/completions", "/infill", "/apply-template", "/api/chat", "/api/generate", "/tokenize", "/detokenize", "/v1/kv/lookup", "/v1/kv/warm", "/v1/kv/pin", "/v1/kv/unpin", "/v1/kv/export", "/v1/kv/evict",
    ];

    public long Bytes => BytesBesides + PromptBytes;

    long PromptBytes => (long)Context * LongestToken * BytesPerCharacter;

    /// <summary>Makes it the limit of a request, if that has one prompt.</summary>
    public void Apply(HttpContext context)
    {
        if (s_onePrompt.Contains(context.Request.Path))
            context.Features.Set(this);
    }

    /// <summary>Refuses a text that no prompt can be, before anybody makes it one.</summary>
    public static void Check(Field text, int context, int longestToken)
    {
        BodyLimit limit = new(context, longestToken);
        if (text.RawBytes > limit.PromptBytes + BytesPerCharacter * (longestToken + 2)) // its quotes, and what is not yet too much
            throw new RequestException(400, $"{text.Path}: {text.RawBytes:N0} bytes, and no prompt of that length fits into the context of "
                + $"{context:N0} tokens", text.Path, "context_length_exceeded");
    }

    /// <summary>What a body is told that is longer.</summary>
    public RequestException TooLong() => new(400,
        $"the body has more than {Bytes:N0} bytes, and no prompt of that length fits into the context of {Context:N0} tokens",
        code: "context_length_exceeded");
}
