using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Tokenization;

namespace Kvasir.TrainSaga;

/// <summary>Writes a checkpoint as a GGUF file of Llama's architecture, in f32.</summary>
sealed class ModelExport(Checkpoint checkpoint, Vocabulary vocabulary)
{
    const int Context = 4096;

    const string ChatTemplate =
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    readonly GgufWriter _writer = new();
    readonly Shape _shape = checkpoint.Shape;

    public void Write(string path, string name)
    {
        _writer.Set("general.architecture", "llama");
        _writer.Set("general.name", name);
        _writer.Set("general.license", "mit");
        _writer.Set("general.description",
            "Trained from scratch on synthetic sagas: answers questions about facts that a document states, and tells little stories.");
        _writer.Set("general.alignment", 32u);
        _writer.Set("kvasir.bare_prompt", "continue");
        _writer.Set("kvasir.document_instruction", "Answer from this saga.");
        AddShape();
        AddVocabulary();
        AddTensors();
        _writer.Write(path);
    }

    void AddShape()
    {
        Number("context_length", Context);
        Number("embedding_length", _shape.Width);
        Number("block_count", _shape.Layers);
        Number("feed_forward_length", _shape.FeedForward);
        Number("attention.head_count", _shape.Heads);
        Number("attention.head_count_kv", _shape.KvHeads);
        Number("attention.key_length", _shape.HeadDim);
        Number("attention.value_length", _shape.HeadDim);
        Number("rope.dimension_count", _shape.HeadDim);
        Number("vocab_size", _shape.Vocabulary);
        _writer.Set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        _writer.Set("llama.rope.freq_base", _shape.RopeBase);
        if (_shape.Window > 0)
        {
            Number("attention.sliding_window", _shape.Window);
            _writer.Set("llama.attention.sliding_window_pattern",
                ImmutableArray.CreateRange(Enumerable.Range(0, _shape.Layers).Select(_shape.IsWindowed)));
        }
        if (_shape.Shared > 1)
            _writer.Set("llama.attention.kv_producers",
                ImmutableArray.CreateRange(Enumerable.Range(0, _shape.Layers).Select(_shape.Producer)));
    }

    void Number(string key, int value) => _writer.Set("llama." + key, (uint)value);

    void AddVocabulary()
    {
        _writer.Set("tokenizer.ggml.model", vocabulary.Model);
        _writer.Set("tokenizer.ggml.pre", vocabulary.Pre);
        _writer.Set("tokenizer.ggml.tokens", vocabulary.Tokens);
        _writer.Set("tokenizer.ggml.token_type", ImmutableArray.CreateRange(vocabulary.Types, type => (int)type));
        _writer.Set("tokenizer.ggml.merges", vocabulary.Merges);
        _writer.Set("tokenizer.ggml.bos_token_id", (uint)vocabulary.Bos!);
        _writer.Set("tokenizer.ggml.eos_token_id", (uint)vocabulary.Eos!);
        _writer.Set("tokenizer.ggml.eot_token_id", (uint)vocabulary.Eot!);
        _writer.Set("tokenizer.ggml.padding_token_id", (uint)vocabulary.Bos!);
        _writer.Set("tokenizer.ggml.add_bos_token", false);
        _writer.Set("tokenizer.chat_template", ChatTemplate);
    }

    // In the order in which the trainer creates them.
    void AddTensors()
    {
        int queries = _shape.Heads * _shape.HeadDim, keys = _shape.KvHeads * _shape.HeadDim;
        Matrix("token_embd", _shape.Vocabulary, _shape.Width, _shape.PaddedVocabulary);
        for (int layer = 0; layer < _shape.Layers; layer++)
        {
            string prefix = $"blk.{layer}.";
            Vector(prefix + "attn_norm");
            Matrix(prefix + "attn_q", queries, _shape.Width);
            if (_shape.Producer(layer) == layer)
            {
                Matrix(prefix + "attn_k", keys, _shape.Width);
                Matrix(prefix + "attn_v", keys, _shape.Width);
            }
            Matrix(prefix + "attn_output", _shape.Width, queries);
            Vector(prefix + "ffn_norm");
            Matrix(prefix + "ffn_gate", _shape.FeedForward, _shape.Width);
            Matrix(prefix + "ffn_up", _shape.FeedForward, _shape.Width);
            Matrix(prefix + "ffn_down", _shape.Width, _shape.FeedForward);
        }
        Vector("output_norm");
    }

    void Vector(string name) => Add(name, [_shape.Width], checkpoint.Next(1, _shape.Width));

    void Matrix(string name, int rows, int columns, int? stored = null) =>
        Add(name, [columns, rows], checkpoint.Next(stored ?? rows, columns));

    void Add(string name, ImmutableArray<long> shape, float[] values) =>
        _writer.Add(name + ".weight", TensorType.F32, shape, (firstRow, rows) =>
            MemoryMarshal.AsBytes<float>(values).Slice((int)(firstRow * shape[0] * sizeof(float)), rows.Length).CopyTo(rows.Span));
}
