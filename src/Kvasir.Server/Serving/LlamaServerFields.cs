using static Kvasir.Server.Serving.Endpoints;

namespace Kvasir.Server.Serving;

/// <summary>The rows of <see cref="FieldTable"/> for llama-server's own endpoints.</summary>
static class LlamaServerFields
{
    static readonly RequestField[] s_rows =
    [
        new("model", Native | Embedding | ApplyTemplate, FieldUse.Honoured, "a name of the served model, or `default`"),
        new("prompt", Completion, FieldUse.Honoured, "a text, tokens, both in one list, `{\"prompt_string\"}`, or a list of these"),
        new("prompt", Infill, FieldUse.Honoured, "how what is filled in begins"),
        new("input_prefix", Infill, FieldUse.Honoured, ""),
        new("input_suffix", Infill, FieldUse.Honoured, ""),
        new("input_extra", Infill, FieldUse.Honoured, "other files: `{\"filename\", \"text\"}`"),
        new("content", Embedding, FieldUse.Honoured, "as `prompt` of completions"),
        new("input", Embedding, FieldUse.Honoured, "another name of `content`"),
        new("embd_normalize", Embedding, FieldUse.Honoured, "-1 as it is, 0 the largest is 32,760, p the p-norm is 1"),
        new("messages", ApplyTemplate, FieldUse.Honoured, ""),
        new("tools", ApplyTemplate, FieldUse.Honoured, ""),
        new("tool_choice", ApplyTemplate, FieldUse.Honoured, ""),
        .. ((string[])["chat_template_kwargs", "add_generation_prompt", "continue_final_message", "enable_thinking", "reasoning_effort"])
            .Select(name => new RequestField(name, ApplyTemplate, FieldUse.Honoured, "")),
        new("filename", Slots, FieldUse.Honoured, "letters, digits, `_`, `-`, `.`"),
        new("n_predict", Native, FieldUse.Honoured, "-1 has no limit; 0 computes the prompt for the cache"),
        new("max_tokens", Native, FieldUse.Honoured, "another name of `n_predict`"),
        new("max_completion_tokens", Native, FieldUse.Honoured, "another name of `n_predict`"),
        new("n_cmpl", Native, FieldUse.Honoured, "so many answers to each prompt"),
        new("n", Native, FieldUse.Honoured, "another name of `n_cmpl`"),
        new("stream", Native, FieldUse.Honoured, ""),
        new("n_probs", Native, FieldUse.Honoured, "`completion_probabilities`, of at most 20 tokens each"),
        new("logprobs", Native, FieldUse.Honoured, "another name of `n_probs`"),
        new("prompt_logprobs", Native, FieldUse.Refused, "`/v1/completions` tells them"),
        new("post_sampling_probs", Native, FieldUse.Honoured, "those from which tokens were drawn"),
        new("return_tokens", Native, FieldUse.Honoured, "streams tell them in any case"),
        new("response_fields", Native, FieldUse.Honoured, "`a/b` is the field `b` of `a`"),
        new("id_slot", Native, FieldUse.Honoured, "a name: every slot finds all that is in the cache"),
        new("n_discard", Native, FieldUse.Harmless, "nothing is ever cut off"),
        new("n_cache_reuse", Native, FieldUse.Harmless, "what is reused is exact"),
        new("backend_sampling", Native, FieldUse.Harmless, ""),
        new("sse_ping_interval", Native, FieldUse.Harmless, "there is a sign of life every 15 s"),
        new("stream_options.include_usage", Native, FieldUse.Harmless, "figures are always told"),
        new("verbose", Native, FieldUse.Harmless, ""),
        new("cache_salt", Embedding, FieldUse.Honoured, ""),
    ];

    static readonly string[] s_openAi = ["best_of", "echo", "suffix", "response_format", "add_special_tokens", "top_logprobs"];

    /// <summary>What is theirs alone and, beside that, what <c>/v1/completions</c> has.</summary>
    public static IEnumerable<RequestField> Rows(IReadOnlyList<RequestField> others) =>
    [
        .. s_rows,
        .. others.Where(row => row.At.HasFlag(Completions) && !s_openAi.Contains(row.Name)
                && !Array.Exists(s_rows, own => own.Name == row.Name && own.At.HasFlag(Native)) && row.Name != "prompt")
            .Select(row => row with { At = Native }),
    ];
}
