using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Model;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Inference;

/// <summary>A model opened for use: its configuration, weights and tokenizer. Several engines may share one.</summary>
public sealed class LanguageModel : IDisposable
{
    readonly IModelFile _file;
    readonly Lazy<Digest> _digest;

    LanguageModel(IModelFile file, IProgress<LoadProgress>? progress, PackedWeights? packed, ComputeBackend backend)
    {
        (_file, Backend) = (file, backend);
        packed?.ReadAhead(file);
        PieceDigests digests = new();
        _digest = new Lazy<Digest>(() => ModelFingerprint.DigestOf(file, Config!, digests));
        TokenTrie = new Lazy<TokenTrie>(() => new TokenTrie(Tokenizer!));
        Config = SupportedModels.Read(file);
        Task<Tokenizer> tokenizer = Task.Run(() => ReadTokenizer(file, Config)); // meanwhile the disk gives the weights
        try
        {
            using PackedModel? kept = packed?.Of(file, Config);
            Weights = new WeightReader(file, Config, digests).Read(progress, (packing, done) =>
                backend.PlaceWeights(packing, kept, (read, total) => Tell(done, read, total, tokenizer)));
            Tokenizer = tokenizer.GetAwaiter().GetResult();
            if (kept?.Model is { } known)
                _digest = new Lazy<Digest>(known);
            else
                kept?.Keep(Digest);
        }
        catch
        {
            Weights?.Dispose();
            ((IAsyncResult)tokenizer).AsyncWaitHandle.WaitOne(); // its file is about to be closed
            throw;
        }
    }

    /// <summary>Says how far the weights are; whoever's tokenizer is refused does not wait for them.</summary>
    static void Tell(Action<long, long>? done, long read, long total, Task<Tokenizer> tokenizer)
    {
        if (tokenizer.IsFaulted)
            tokenizer.GetAwaiter().GetResult();
        done?.Invoke(read, total);
    }

    static Tokenizer ReadTokenizer(IModelFile file, ModelSpec config)
    {
        Tokenizer tokenizer = Tokenizer.From(file);
        return tokenizer.VocabularySize == config.Vocabulary
            ? tokenizer
            : throw ModelFormatException.At(file.Path, "tokenizer.ggml.tokens", $"{tokenizer.VocabularySize} tokens",
                $"the {config.Vocabulary} rows of token_embd.weight");
    }

    /// <summary>What the model is.</summary>
    public ModelSpec Config { get; }

    /// <summary>Text to tokens and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The file's keys and values; of a folder, those that a GGUF file of it would have.</summary>
    public GgufMetadata Metadata => _file.Metadata;

    /// <summary>Numbers in all its tensors.</summary>
    public long Parameters => _file.Tensors.Sum(tensor => tensor.Elements);

    /// <summary>Bytes of the file, or of all that hold tensors.</summary>
    public long FileBytes => _file.Length;

    /// <summary>The vocabulary as constrained decoding walks it, built when it is first asked for.</summary>
    internal Lazy<TokenTrie> TokenTrie { get; }

    /// <summary>What computes the model's passes.</summary>
    public ComputeBackend Backend { get; }

    internal ModelWeights Weights { get; }

    /// <summary>The digest of what it computes with, computed when it is first asked for: only a cache needs it.</summary>
    internal Digest Digest => _digest.Value;

    /// <summary>
    /// Opens a GGUF file, or a folder as Hugging Face's hub has it, and packs its weights for this machine's kernels, on all processors.
    /// They are in memory once, in little more room than in the file; token embeddings stay in the file.
    /// </summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="progress">Told now and then, on the calling thread.</param>
    /// <param name="packed">Where packed weights are kept for the next time; without it they are packed each time.</param>
    /// <param name="backend">
    /// What computes its passes, which is the model's from now on, even where that cannot be opened; null for the CPU. Packed weights are
    /// the CPU's alone.
    /// </param>
    /// <exception cref="ModelFormatException">The file is missing, damaged or of an unknown kind; one line says where and why.</exception>
    /// <exception cref="InsufficientMemoryException">The weights do not fit into memory.</exception>
    public static LanguageModel Load(string path, IProgress<LoadProgress>? progress = null, PackedWeights? packed = null,
        ComputeBackend? backend = null)
    {
        IModelFile? file = null;
        try
        {
            file = ModelFiles.Open(path);
            return new LanguageModel(file, progress, backend is null ? packed : null, backend ?? CpuBackend.Instance);
        }
        catch
        {
            file?.Dispose();
            backend?.Dispose();
            throw;
        }
    }

    /// <summary>Frees the weights, closes the file and gives back what computed. Engines of this model must be disposed before.</summary>
    public void Dispose()
    {
        Weights.Dispose();
        _file.Dispose();
        Backend.Dispose();
    }
}
