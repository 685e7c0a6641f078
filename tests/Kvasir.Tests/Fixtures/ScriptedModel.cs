using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// A model that says a script: a layer that adds nothing, and an output matrix that is likeliest to follow each token with the script's
/// next
/// one. What comes depends on the last token alone, so a script goes on from wherever a prompt, or a token that had to come, has got to.
/// </summary>
/// <param name="script">
/// The pieces, each a token of its own, which stands nowhere else in it. The first follows a line feed, and the last is followed by the
/// end of
/// the turn.
/// </param>
sealed class ScriptedModel(params ImmutableArray<string> script)
{
    const int Width = 64, UserDefined = 4, Control = 3, Normal = 1;
    const float Sureness = 4;

    readonly ImmutableArray<string> _pieces = script;

    /// <summary>
    /// ChatML with thoughts in the manner of Qwen 3, without the habit of leaving away those of earlier turns, and with tools in that of
    /// Hermes.
    /// </summary>
    public const string Template =
        """
        {%- if tools %}<|im_start|>system
        {% for tool in tools %}{{ tool.function | tojson }}{% endfor %}<tool_call><|im_end|>
        {% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
        {% if message.reasoning_content -%}
        {{ '<think>\n' + message.reasoning_content + '\n</think>\n\n' }}{% endif %}{{ message.content }}<|im_end|>
        {% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
        {% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{%- endif %}
        """;

    /// <summary>Writes it and returns the path.</summary>
    public string WriteTo(string path)
    {
        ImmutableArray<string> tokens = TinyVocabulary.Tokens.AddRange(_pieces);
        GgufWriter writer = new();
        AddSizes(writer, tokens.Length);
        AddVocabulary(writer, tokens);
        AddTensors(writer, tokens);
        writer.Write(path);
        return path;
    }

    static void AddSizes(GgufWriter writer, int vocabulary)
    {
        writer.Set("general.architecture", "llama");
        writer.Set("general.name", "scripted");
        writer.Set("general.alignment", 32u);
        writer.Set("llama.vocab_size", (uint)vocabulary);
        writer.Set("llama.context_length", 1024u);
        writer.Set("llama.embedding_length", (uint)Width);
        writer.Set("llama.block_count", 1u);
        writer.Set("llama.feed_forward_length", 32u);
        writer.Set("llama.attention.head_count", 2u);
        writer.Set("llama.attention.head_count_kv", 1u);
        writer.Set("llama.attention.key_length", 16u);
        writer.Set("llama.attention.value_length", 16u);
        writer.Set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        writer.Set("llama.rope.dimension_count", 16u);
        writer.Set("llama.rope.freq_base", 10000f);
    }

    static void AddVocabulary(GgufWriter writer, ImmutableArray<string> tokens)
    {
        writer.Set("tokenizer.ggml.model", "gpt2");
        writer.Set("tokenizer.ggml.pre", "qwen2");
        writer.Set("tokenizer.ggml.tokens", tokens);
        writer.Set("tokenizer.ggml.token_type", ImmutableArray.CreateRange(
            Enumerable.Range(0, tokens.Length).Select(token => token >= TinyVocabulary.Size ? UserDefined
                : token >= TinyVocabulary.EndOfText ? Control : Normal)));
        writer.Set("tokenizer.ggml.merges", TinyVocabulary.Merges);
        writer.Set("tokenizer.ggml.bos_token_id", (uint)TinyVocabulary.EndOfText);
        writer.Set("tokenizer.ggml.eos_token_id", (uint)TinyVocabulary.TurnEnd);
        writer.Set("tokenizer.ggml.add_bos_token", false);
        writer.Set("tokenizer.chat_template", Template.ReplaceLineEndings("\n"));
    }

    static void AddTensors(GgufWriter writer, ImmutableArray<string> tokens)
    {
        float[][] embeddings = [.. tokens.Select((_, token) => Direction(token))];
        float[] output = new float[tokens.Length * Width];
        int before = '\n'; // the token of a byte is that byte
        for (int next = TinyVocabulary.Size; next <= tokens.Length; before = next++)
            embeddings[before].AsSpan().CopyTo(output.AsSpan((next < tokens.Length ? next : TinyVocabulary.TurnEnd) * Width));
        Add("token_embd.weight", Width, [.. embeddings.SelectMany(row => row)]);
        Add("output.weight", Width, [.. output.Select(value => value * Sureness)]);
        Ones("output_norm.weight");
        Ones("blk.0.attn_norm.weight");
        Ones("blk.0.ffn_norm.weight");
        foreach ((string name, int columns, int rows) in (ReadOnlySpan<(string, int, int)>)[("attn_q", Width, 32), ("attn_k", Width, 16),
            ("attn_v", Width, 16), ("attn_output", 32, Width), ("ffn_gate", Width, 32), ("ffn_up", Width, 32), ("ffn_down", 32, Width)])
            Add($"blk.0.{name}.weight", columns, new float[columns * rows]);

        void Ones(string name) => Add(name, Width, [.. Enumerable.Repeat(1f, Width)]);

        void Add(string name, int columns, float[] values) => writer.Add(name, TensorType.F32,
            values.Length == columns ? [columns] : [columns, values.Length / columns], (firstRow, rows) =>
                MemoryMarshal.AsBytes(values.AsSpan((int)firstRow * columns)).Slice(0, rows.Length).CopyTo(rows.Span));
    }

    /// <summary>A direction of its own for each token, of length 1.</summary>
    static float[] Direction(int token)
    {
        Random random = new(token + 1);
        float[] values = [.. Enumerable.Range(0, Width).Select(_ => random.Next(2) - 0.5f)];
        return [.. values.Select(value => value * 2 / MathF.Sqrt(Width))];
    }
}
