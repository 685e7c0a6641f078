using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Synthesis;

/// <summary>
/// Writes a model of a real shape with random weights as a GGUF file that any engine loads: for measuring speed and memory. What it says is
/// noise. The vocabulary has the bytes, one merge, ChatML's control tokens, and fillers up to the model's size.
/// </summary>
public sealed class SyntheticModel
{
    const float Epsilon = 1e-5f;

    /// <summary>The mixes that models can be made with, by name.</summary>
    public static IReadOnlyList<string> Mixes { get; } = ["bf16", "f16", "q8_0", "q4_0", "q4_k_m"];

    readonly GgufWriter _writer = new();
    readonly ModelSpec _spec;
    readonly WeightMix _mix;
    readonly ulong _seed;
    ulong _tensors;

    /// <param name="spec">What the model is; each layer must own a cache. Its norms' epsilon is 1e-5, whatever this says.</param>
    /// <param name="mix">Which type each matrix gets.</param>
    /// <param name="seed">Equal seeds give equal weights.</param>
    /// <exception cref="ModelFormatException">The engine does not compute such a model; one line names what it does not.</exception>
    /// <exception cref="ArgumentException">Layers share a cache, or differ in the size of their heads.</exception>
    public SyntheticModel(ModelSpec spec, WeightMix mix, ulong seed = 1)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(mix);
        if (!Mixes.Contains(mix.Name))
            throw new ArgumentException($"mix {mix.Name}: expected one of {string.Join(", ", Mixes)}");
        spec = spec with { Architecture = ModelFiles.ArchitectureOf(spec.Architecture), Norm = spec.Norm with { Epsilon = Epsilon } };
        SupportedModels.Check(spec);
        (_spec, _mix, _seed) = (spec, mix, seed);
        if (spec.Layers.Where((layer, i) => layer.Attention!.Producer != i).Any()
            || spec.Attention.Select(layer => (layer.KeyDim, layer.ValueDim)).Distinct().Count() > 1
            || spec.Attention.Any(layer => layer.Rope is { HasDivisors: true }))
            throw new ArgumentException($"{Printable.Line(spec.Name)}: expected layers that each own a cache, have heads of one size, and rotate as "
                + "a formula says");
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
        _writer.Set("general.architecture", _spec.Architecture);
        _writer.Set("general.name", $"synth:{_spec.Name}@{_mix.Name}");
        _writer.Set("general.alignment", 32u);
        new GgufSpecKeys(_spec, _spec.Architecture, SetKey).Write();
    }

    void SetKey(string key, object? value)
    {
        if (value is not null)
            _writer.Set(key, value);
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
        Matrix("token_embd.weight", _spec.Width, _spec.Vocabulary);
        AddRope(_spec.Attention.Select(layer => layer.Rope).FirstOrDefault(rope => rope?.Scaling is not null));
        for (int layer = 0; layer < _spec.Layers.Length; layer++)
            AddLayer($"blk.{layer}.", _spec.Layers[layer], _spec.Layers[layer].Attention!, LayerWidths.Of(_spec.Layers[layer]));
        Vector("output_norm.weight", Ones(_spec.Width));
        if (!_spec.IsTied)
            Matrix("output.weight", _spec.Width, _spec.Vocabulary);
    }

    void AddRope(RopeSpec? rope)
    {
        if (rope?.Scaling is not { } scaling)
            return;
        if (scaling.IsTensorInGguf)
            Vector("rope_freqs.weight", scaling.Divisors(rope.Base, rope.Dims));
        foreach (bool isLong in (bool[])[true, false])
            if (scaling.DependsOnContext)
                Vector(isLong ? "rope_factors_long.weight" : "rope_factors_short.weight", scaling.Divisors(rope.Base, rope.Dims, isLong));
    }

    void AddLayer(string prefix, LayerSpec layer, AttentionSpec attention, LayerWidths widths)
    {
        int width = _spec.Width;
        Norm(NormPlaces.BeforeAttention, "attn_norm.weight");
        Matrix(prefix + "attn_q.weight", width, widths.Queries);
        Matrix(prefix + "attn_k.weight", width, widths.Keys);
        Matrix(prefix + "attn_v.weight", width, widths.Values);
        if (attention.HasQkNorm)
            Vector(prefix + "attn_q_norm.weight", Ones(attention.NormsHeadsAsOne ? widths.Queries : attention.KeyDim));
        if (attention.HasQkNorm)
            Vector(prefix + "attn_k_norm.weight", Ones(attention.NormsHeadsAsOne ? widths.Keys : attention.KeyDim));
        Matrix(prefix + "attn_output.weight", widths.Attended, width);
        Norm(NormPlaces.AfterAttention, "post_attention_norm.weight");
        Norm(NormPlaces.BeforeFeedForward, attention.HasSinks ? "post_attention_norm.weight" : "ffn_norm.weight");
        if (attention.HasSinks)
            AddSinksAndBiases(prefix, attention, widths);
        if (layer.FeedForward is { Experts: > 0 } mixture)
            AddExperts(prefix, mixture);
        else
        {
            Matrix(prefix + "ffn_gate.weight", width, widths.Network);
            Matrix(prefix + "ffn_up.weight", width, widths.Network);
            Matrix(prefix + "ffn_down.weight", widths.Network, width);
        }
        Norm(NormPlaces.AfterFeedForward, "post_ffw_norm.weight");

        void Norm(NormPlaces place, string name)
        {
            if (layer.Norms.HasFlag(place))
                Vector(prefix + name, Ones(width));
        }
    }

    /// <summary>As gpt-oss has them.</summary>
    void AddSinksAndBiases(string prefix, AttentionSpec attention, LayerWidths widths)
    {
        Vector(prefix + "attn_sinks.weight", new float[attention.Heads]);
        Vector(prefix + "attn_q.bias", new float[widths.Queries]);
        Vector(prefix + "attn_k.bias", new float[widths.Keys]);
        Vector(prefix + "attn_v.bias", new float[widths.Values]);
        Vector(prefix + "attn_output.bias", new float[_spec.Width]);
    }

    /// <summary>Those of gpt-oss are MXFP4 and have biases, whatever the others are.</summary>
    void AddExperts(string prefix, FeedForwardSpec mixture)
    {
        Matrix(prefix + "ffn_gate_inp.weight", _spec.Width, mixture.Experts, type: TensorType.F32);
        TensorType? type = mixture.Limit is null ? null : TensorType.MXFP4;
        (string, int, int)[] stacks =
            [("gate", _spec.Width, mixture.Width), ("up", _spec.Width, mixture.Width), ("down", mixture.Width, _spec.Width)];
        foreach ((string name, int columns, int rows) in stacks)
        {
            Matrix($"{prefix}ffn_{name}_exps.weight", columns, rows, mixture.Experts, type);
            if (type is not null)
                Vector($"{prefix}ffn_{name}_exps.bias", new float[rows * mixture.Experts], mixture.Experts);
        }
        if (type is not null)
            Vector(prefix + "ffn_gate_inp.bias", new float[mixture.Experts]);
    }

    void Matrix(string name, int columns, int rows, int experts = 1, TensorType? type = null)
    {
        type ??= _mix.TypeOf(name, columns, _spec.Layers.Length, _spec.IsTied)
            ?? throw new ArgumentException($"{name}: rows of {columns}, expected a multiple of 32");
        Rows(name, type.Value, experts == 1 ? [columns, rows] : [columns, rows, experts]);
    }

    void Rows(string name, TensorType type, ImmutableArray<long> shape)
    {
        int columns = (int)shape[0];
        int rowBytes = (int)type.RowBytes(columns);
        ulong tensorSeed = (_seed << 48) + (++_tensors << 32); // rows of a tensor follow in the lower half
        _writer.Add(name, type, shape, (firstRow, memory) =>
        {
            for (int i = 0; i * rowBytes < memory.Length; i++)
                RandomWeights.Fill(type, columns, tensorSeed + (ulong)(firstRow + i), memory.Span.Slice(i * rowBytes, rowBytes));
        });
    }

    void Vector(string name, float[] values, int vectors = 1) =>
        _writer.Add(name, TensorType.F32, vectors == 1 ? [values.Length] : [values.Length / vectors, vectors], (firstRow, memory) =>
            MemoryMarshal.AsBytes(values.AsSpan((int)firstRow * (values.Length / vectors)))[..memory.Length].CopyTo(memory.Span));

    static float[] Ones(int count)
    {
        float[] ones = new float[count];
        Array.Fill(ones, 1f);
        return ones;
    }
}
