using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Synthesis;

/// <summary>
/// Writes a model of a real shape with random weights as a GGUF file that any engine loads: for measuring speed and memory. What it says is
/// noise. The vocabulary has the bytes, one merge, ChatML's control tokens, and fillers up to the shape's size.
/// </summary>
public sealed class SyntheticModel(ModelShape shape, WeightMix mix, ulong seed = 1)
{
    readonly GgufWriter _writer = new();
    ulong _tensors;

    /// <summary>Writes the file; equal shapes, mixes and seeds give equal bytes.</summary>
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
        string prefix = shape.Architecture + ".";
        _writer.Set("general.architecture", shape.Architecture);
        _writer.Set("general.name", $"synth:{shape.Name}@{mix.Name}");
        _writer.Set("general.alignment", 32u);
        _writer.Set(prefix + "context_length", (uint)shape.Context);
        _writer.Set(prefix + "embedding_length", (uint)shape.Width);
        _writer.Set(prefix + "block_count", (uint)shape.Layers);
        _writer.Set(prefix + "feed_forward_length", (uint)shape.FeedForward);
        _writer.Set(prefix + "attention.head_count", (uint)shape.Heads);
        _writer.Set(prefix + "attention.head_count_kv", (uint)shape.KvHeads);
        _writer.Set(prefix + "attention.key_length", (uint)shape.HeadDim);
        _writer.Set(prefix + "attention.value_length", (uint)shape.HeadDim);
        _writer.Set(prefix + "attention.layer_norm_rms_epsilon", 1e-5f);
        _writer.Set(prefix + "rope.dimension_count", (uint)shape.HeadDim);
        _writer.Set(prefix + "rope.freq_base", shape.RopeBase);
        _writer.Set(prefix + "vocab_size", (uint)shape.Vocabulary);
    }

    void AddVocabulary()
    {
        string space = ByteAlphabet.Character((byte)' ').ToString();
        string[] controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        string[] bytes = [.. Enumerable.Range(0, 256).Select(value => ByteAlphabet.Character((byte)value).ToString())];
        int fillers = shape.Vocabulary - bytes.Length - controls.Length - 1;
        ImmutableArray<string> tokens = [.. bytes, space + "t", .. Enumerable.Range(0, fillers).Select(i => $"<filler-{i}>"), .. controls];
        _writer.Set("tokenizer.ggml.model", "gpt2");
        _writer.Set("tokenizer.ggml.pre", "qwen2");
        _writer.Set("tokenizer.ggml.tokens", tokens);
        _writer.Set("tokenizer.ggml.token_type", ImmutableArray.CreateRange(tokens, token => (int)(controls.Contains(token) ? TokenType.Control : TokenType.Normal)));
        _writer.Set("tokenizer.ggml.merges", ImmutableArray.Create($"{space} t"));
        _writer.Set("tokenizer.ggml.bos_token_id", (uint)(tokens.Length - 3));
        _writer.Set("tokenizer.ggml.eos_token_id", (uint)(tokens.Length - 1));
        _writer.Set("tokenizer.ggml.add_bos_token", false);
    }

    void AddTensors()
    {
        int queries = shape.Heads * shape.HeadDim, keys = shape.KvHeads * shape.HeadDim;
        Matrix("token_embd.weight", shape.Width, shape.Vocabulary);
        if (shape.RopeFactor > 0)
            Vector("rope_freqs.weight", RopeFactors());
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string prefix = $"blk.{layer}.";
            Vector(prefix + "attn_norm.weight", Ones(shape.Width));
            Matrix(prefix + "attn_q.weight", shape.Width, queries, layer);
            Matrix(prefix + "attn_k.weight", shape.Width, keys, layer);
            Matrix(prefix + "attn_v.weight", shape.Width, keys, layer);
            if (shape.QkNorm)
                Vector(prefix + "attn_q_norm.weight", Ones(shape.HeadDim));
            if (shape.QkNorm)
                Vector(prefix + "attn_k_norm.weight", Ones(shape.HeadDim));
            Matrix(prefix + "attn_output.weight", queries, shape.Width, layer);
            Vector(prefix + "ffn_norm.weight", Ones(shape.Width));
            Matrix(prefix + "ffn_gate.weight", shape.Width, shape.FeedForward, layer);
            Matrix(prefix + "ffn_up.weight", shape.Width, shape.FeedForward, layer);
            Matrix(prefix + "ffn_down.weight", shape.FeedForward, shape.Width, layer);
        }
        Vector("output_norm.weight", Ones(shape.Width));
        if (!shape.TiedOutput)
            Matrix("output.weight", shape.Width, shape.Vocabulary);
    }

    void Matrix(string name, int columns, int rows, int layer = 0)
    {
        TensorType type = mix.TypeOf(name, columns, layer, shape.Layers);
        int rowBytes = (int)type.RowBytes(columns);
        ulong tensorSeed = (seed << 48) + (++_tensors << 32); // rows of a tensor follow in the lower half
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

    /// <summary>
    /// Llama 3.1's factors: waves longer than the original context of 8,192 are slowed by the factor, those shorter than a quarter of it not at
    /// all, and between the two lies a ramp. Grattafiori et al., 2024, https://arxiv.org/abs/2407.21783.
    /// </summary>
    float[] RopeFactors()
    {
        const double original = 8192, low = 1, high = 4;
        return [.. Enumerable.Range(0, shape.HeadDim / 2).Select(i =>
        {
            double wavelength = 2 * Math.PI * Math.Pow(shape.RopeBase, 2.0 * i / shape.HeadDim);
            double smooth = Math.Clamp((original / wavelength - low) / (high - low), 0, 1);
            return (float)(1 / ((1 - smooth) / shape.RopeFactor + smooth));
        })];
    }
}
