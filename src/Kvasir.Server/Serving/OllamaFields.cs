using static Kvasir.Server.Serving.Endpoints;

namespace Kvasir.Server.Serving;

/// <summary>The rows of <see cref="FieldTable"/> for Ollama's endpoints.</summary>
static class OllamaFields
{
    const string Sampling = "options.";

    static readonly RequestField[] s_rows =
    [
        new("model", OllamaAll, FieldUse.Honoured, "a name of the served model, with `:latest` or without"),
        new("name", OllamaShow, FieldUse.Honoured, "the older name of `model`"),
        new("messages", OllamaChat, FieldUse.Honoured, "none loads the model"),
        new("tools", OllamaChat, FieldUse.Honoured, ""),
        new("prompt", OllamaGenerate, FieldUse.Honoured, "none loads the model"),
        new("prompt", OllamaEmbeddings, FieldUse.Honoured, ""),
        new("input", OllamaEmbed, FieldUse.Honoured, "a text or a list"),
        new("system", OllamaGenerate, FieldUse.Honoured, ""),
        new("suffix", OllamaGenerate, FieldUse.Honoured, "what stands behind a gap, where the model fills in"),
        new("context", OllamaGenerate, FieldUse.Honoured, "as an earlier answer gave it"),
        new("raw", OllamaGenerate, FieldUse.Honoured, "the prompt as it is, without the chat template"),
        new("images", OllamaGenerate, FieldUse.Refused, "this model reads text only", "[]"),
        new("template", OllamaGenerate, FieldUse.Refused, "templates are the operator's", "\"\""),
        new("think", OllamaAnswers, FieldUse.Honoured, "whether, or how hard: [thoughts](#thoughts)"),
        new("format", OllamaAnswers, FieldUse.Honoured, "`\"json\"`, or [a schema](#the-form-of-an-answer)"),
        new("stream", OllamaAnswers, FieldUse.Honoured, "true unless said"),
        new("logprobs", OllamaAnswers, FieldUse.Honoured, ""),
        new("top_logprobs", OllamaAnswers, FieldUse.Honoured, ""),
        new("keep_alive", OllamaAnswers | OllamaEmbed | OllamaEmbeddings, FieldUse.Honoured,
            "the model stays, whatever it says; a request without a prompt answers `unload` to 0"),
        new("truncate", OllamaEmbed, FieldUse.Honoured, "texts that are too long are refused unless it is true"),
        new("truncate", OllamaAnswers, FieldUse.Harmless, "nothing is ever cut off"),
        new("shift", OllamaAnswers, FieldUse.Harmless, "nothing is ever cut off"),
        new("dimensions", OllamaEmbed, FieldUse.Honoured, ""),
        new("verbose", OllamaShow, FieldUse.Honoured, "lists in `model_info`, too"),
        new("system", OllamaShow, FieldUse.Harmless, ""),
        new("template", OllamaShow, FieldUse.Harmless, ""),
        new("options", OllamaShow, FieldUse.Harmless, ""),
        new("options", OllamaEmbed | OllamaEmbeddings, FieldUse.Harmless, "vectors are those of the model"),
        new("cache_salt", OllamaAnswers | OllamaEmbed | OllamaEmbeddings, FieldUse.Honoured, ""),
        new("kv_retention", OllamaAnswers, FieldUse.Honoured, "[what may be left out](#what-may-be-left-out)"),
        new("options.num_predict", OllamaAnswers, FieldUse.Honoured, "-1 and -2 have no limit but the context"),
        new("options.num_ctx", OllamaAnswers, FieldUse.Honoured, "tokens of prompt and answer, at most those that are served; what does not fit is refused"),
        new("options.stop", OllamaAnswers, FieldUse.Honoured, ""),
        new("options.penalize_newline", OllamaAnswers, FieldUse.Refused, "penalties are for all tokens", "true"),
        new("options.rope_frequency_base", OllamaAnswers, FieldUse.Refused, "a model's positions are its own", "0"),
        new("options.rope_frequency_scale", OllamaAnswers, FieldUse.Refused, "a model's positions are its own", "0"),
        .. ((string[])["num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "numa", "low_vram", "f16_kv", "use_mmap", "use_mlock",
            "logits_all", "vocab_only", "num_gqa", "draft_num_predict"])
            .Select(name => new RequestField(Sampling + name, OllamaAnswers, FieldUse.Harmless, "")),
    ];

    /// <summary>Those of <c>/v1/completions</c> that say how tokens are chosen.</summary>
    static readonly string[] s_shared =
    [
        "temperature", "top_p", "top_k", "min_p", "typical_p", "top_n_sigma", "xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base",
        "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers", "mirostat", "mirostat_tau", "mirostat_eta", "repeat_penalty",
        "repeat_last_n", "frequency_penalty", "presence_penalty", "logit_bias", "seed", "min_tokens", "stop_token_ids",
        "include_stop_str_in_output", "ignore_eos", "tfs_z", "samplers", "t_max_predict_ms", "priority",
    ];

    public static IEnumerable<RequestField> Rows(IReadOnlyList<RequestField> others) =>
    [
        .. s_rows,
        .. others.Where(row => row.At.HasFlag(Completions) && s_shared.Contains(row.Name))
            .Select(row => row with { Name = Sampling + row.Name, At = OllamaAnswers }),
    ];
}
