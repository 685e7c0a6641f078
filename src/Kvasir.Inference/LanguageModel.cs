using Kvasir.Inference.Formats;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference;

/// <summary>A model file opened for use: its configuration, mapped weights and tokenizer. Several engines may share one.</summary>
public sealed class LanguageModel : IDisposable
{
    readonly GgufFile _file;

    LanguageModel(GgufFile file)
    {
        _file = file;
        Config = ModelConfig.From(file);
        Weights = new WeightReader(file, Config).Read();
        Tokenizer = Tokenizer.From(file);
        if (Tokenizer.VocabularySize != Config.Vocabulary)
            throw ModelFormatException.At(file.Path, "tokenizer.ggml.tokens", $"{Tokenizer.VocabularySize} tokens", $"the {Config.Vocabulary} rows of token_embd.weight");
    }

    /// <summary>What the model is.</summary>
    public ModelConfig Config { get; }

    /// <summary>Text to tokens and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The file's keys and values.</summary>
    public GgufMetadata Metadata => _file.Metadata;

    internal ModelWeights Weights { get; }

    /// <summary>Opens a GGUF file. Weights are mapped, not read: this is fast, and pages come in as they are used.</summary>
    /// <exception cref="ModelFormatException">The file is missing, damaged or of an unknown kind; one line says where and why.</exception>
    public static LanguageModel Load(string path)
    {
        GgufFile file = GgufFile.Open(path);
        try
        {
            return new LanguageModel(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps the file. Engines of this model must be disposed before.</summary>
    public void Dispose() => _file.Dispose();
}
