using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Synthesis;

/// <summary>
/// Writes a model of a real shape with random weights as a GGUF file that any engine loads: for measuring speed and memory. What it says is
/// noise. The vocabulary has the bytes, one merge, ChatML's control tokens, and fillers up to the model's size.
/// </summary>
public sealed class SyntheticModel
{
    readonly GgufWriter _writer = new();
    readonly ModelSpec _spec;
    readonly AttentionSpec _attention; // of every layer
    readonly int _network; // width of every layer's
    readonly WeightMix _mix;
    readonly ulong _seed;
    ulong _tensors;

    /// <param name="spec">
    /// What the model is; layers must be alike and keep everything. Its norms' epsilon is 1e-5, whatever this says.
    /// </param>
    /// <param name="mix">Which type each matrix gets.</param>
    /// <param name="seed">Equal seeds give equal weights.</param>
    /// <exception cref="ModelFormatException">The engine does not compute such a model; one line names what it does not.</exception>
    /// <exception cref="ArgumentException">The layers differ, have windows, share a cache or do not rotate.</exception>
    public SyntheticModel(ModelSpec spec, WeightMix mix, ulong seed = 1)
    {
        SupportedModels.Check(spec);
        (_spec, _mix, _seed) = (spec, mix, seed);
        (_attention, _network) = (spec.Layers[0].Attention!, spec.Layers[0].FeedForward!.Width);
        if (spec.Layers.Where((layer, i) => layer != spec.Layers[0] with { Attention = _attention with { Producer = i } }).Any()
            || _attention is not { Window: null, Rope.HasDivisors: false })
            throw new ArgumentException(
                $"{Printable.Line(spec.Name)}: expected layers that are all alike, keep everything and rotate as a formula says");
    }

    /// <summary>Writes the file; equal descriptions, mixes and seeds give equal bytes.</summary>
    /// <exception cref="IOException">The file cannot be written; the message names it.</exception>
    public void Write(string path, IProgress<long>? bytesWritten = null, CancellationToken cancellation = default)
    {
        AddMetadata();
        AddVocabulary();
        AddTensors();
        _writer.Write(path, bytesWritten, cancellation);
    }

    void AddMetadata()
    {
        string prefix = _spec.Architecture + ".";
        _writer.Set("general.architecture", _spec.Architecture);
        _writer.Set("general.name", $"synth:{_spec.Name}@{_mix.Name}");
        _writer.Set("general.alignment", 32u);
        _writer.Set(prefix + "context_length", (uint)_spec.Context);
        _writer.Set(prefix + "embedding_length", (uint)_spec.Width);
        _writer.Set(prefix + "block_count", (uint)_spec.Layers.Length);
        _writer.Set(prefix + "feed_forward_length", (uint)_network);
        _writer.Set(prefix + "attention.head_count", (uint)_attention.Heads);
        _writer.Set(prefix + "attention.head_count_kv", (uint)_attention.KvHeads);
        _writer.Set(prefix + "attention.key_length", (uint)_attention.KeyDim);
        _writer.Set(prefix + "attention.value_length", (uint)_attention.ValueDim);
        _writer.Set(prefix + "attention.layer_norm_rms_epsilon", 1e-5f);
        _writer.Set(prefix + "rope.dimension_count", (uint)_attention.Rope!.Dims);
        _writer.Set(prefix + "rope.freq_base", _attention.Rope.Base);
        _writer.Set(prefix + "vocab_size", (uint)_spec.Vocabulary);
    }

    void AddVocabulary()
    {
        string space = ByteAlphabet.Character((byte)' ').ToString();
        string[] controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        string[] bytes = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.Character((byte)value).ToString())];
        int fillers = _spec.Vocabulary - bytes.Length - controls.Length - 1;
        ImmutableArray<string> tokens = [.. bytes, space + "t", .. Enumerable.Range(0, fillers).Select(i => $"<filler-{i}>"), .. controls];
        _writer.Set("tokenizer.ggml.model", "gpt2");
        _writer.Set("tokenizer.ggml.pre", "qwen2");
        _writer.Set("tokenizer.ggml.tokens", tokens);
        _writer.Set("tokenizer.ggml.token_type",
            ImmutableArray.CreateRange(tokens, token => (int)(controls.Contains(token) ? TokenType.Control : TokenType.Normal)));
        _writer.Set("tokenizer.ggml.merges", ImmutableArray.Create($"{space} t"));
        _writer.Set("tokenizer.ggml.bos_token_id", (uint)(tokens.Length - 3));
        _writer.Set("tokenizer.ggml.eos_token_id", (uint)(tokens.Length - 1));
        _writer.Set("tokenizer.ggml.add_bos_token", false);
    }

    void AddTensors()
    {
        int width = _spec.Width, queries = _attention.Heads * _attention.KeyDim, attended = _attention.Heads * _attention.ValueDim;
        Matrix("token_embd.weight", width, _spec.Vocabulary);
        if (_attention.Rope is { Scaling: { } scaling } rope)
            Vector("rope_freqs.weight", scaling.Divisors(rope.Base, rope.Dims));
        for (int layer = 0; layer < _spec.Layers.Length; layer++)
        {
            string prefix = $"blk.{layer}.";
            Vector(prefix + "attn_norm.weight", Ones(width));
            Matrix(prefix + "attn_q.weight", width, queries, layer);
            Matrix(prefix + "attn_k.weight", width, _attention.KvHeads * _attention.KeyDim, layer);
            Matrix(prefix + "attn_v.weight", width, _attention.KvHeads * _attention.ValueDim, layer);
            if (_attention.HasQkNorm)
                Vector(prefix + "attn_q_norm.weight", Ones(_attention.KeyDim));
            if (_attention.HasQkNorm)
                Vector(prefix + "attn_k_norm.weight", Ones(_attention.KeyDim));
            Matrix(prefix + "attn_output.weight", attended, width, layer);
            Vector(prefix + "ffn_norm.weight", Ones(width));
            Matrix(prefix + "ffn_gate.weight", width, _network, layer);
            Matrix(prefix + "ffn_up.weight", width, _network, layer);
            Matrix(prefix + "ffn_down.weight", _network, width, layer);
        }
        Vector("output_norm.weight", Ones(width));
        if (!_spec.IsTied)
            Matrix("output.weight", width, _spec.Vocabulary);
    }

    void Matrix(string name, int columns, int rows, int layer = 0)
    {
        TensorType type = _mix.TypeOf(name, columns, layer, _spec.Layers.Length);
        int rowBytes = (int)type.RowBytes(columns);
        ulong tensorSeed = (_seed << 48) + (++_tensors << 32); // rows of a tensor follow in the lower half
        _writer.Add(name, type, [columns, rows], (firstRow, memory) =>
        {
            for (int i = 0; i * rowBytes < memory.Length; i++)
                RandomWeights.Fill(type, columns, tensorSeed + (ulong)(firstRow + i), memory.Span.Slice(i * rowBytes, rowBytes));
        });
    }

    void Vector(string name, float[] values) =>
        _writer.Add(name, TensorType.F32, [values.Length], (_, memory) => MemoryMarshal.AsBytes<float>(values).CopyTo(memory.Span));

    static float[] Ones(int count)
    {
        float[] ones = new float[count];
        Array.Fill(ones, 1f);
        return ones;
    }
}
