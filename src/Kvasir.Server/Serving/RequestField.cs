using System.Text.Json;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>The endpoints whose bodies <see cref="RequestFields"/> knows.</summary>
[Flags]
enum Endpoints
{
    Chat = 1,
    Completions = 2,
    Responses = 4,
    Messages = 8,
    Embeddings = 16,
    Tokenize = 32,
    Detokenize = 64,
    KvLookup = 128,
    KvWarm = 256,
    KvPin = 512,
    KvUnpin = 1024,
    KvExport = 2048,
    KvEvict = 4096,
    Completion = 8192,
    Infill = 1 << 14,
    Embedding = 1 << 15,
    ApplyTemplate = 1 << 16,
    Slots = 1 << 17,
    OllamaChat = 1 << 18,
    OllamaGenerate = 1 << 19,
    OllamaEmbed = 1 << 20,
    OllamaEmbeddings = 1 << 21,
    OllamaShow = 1 << 22,

    /// <summary>Those that speak OpenAI's older protocol, with what other servers have added to it.</summary>
    Texts = Chat | Completions,

    /// <summary>Those that answer with a text.</summary>
    Answers = Texts | Responses | Messages,

    /// <summary>Those that the model computes for.</summary>
    Computed = Answers | Embeddings,

    /// <summary>Those of the cache that are about a prompt.</summary>
    KvPrompts = KvLookup | KvWarm | KvPin | KvUnpin | KvExport,

    /// <summary>Those of the cache, whose protocol is our own.</summary>
    Kv = KvPrompts | KvEvict,

    /// <summary>llama-server's own that answer with a text.</summary>
    Native = Completion | Infill,

    /// <summary>Ollama's that answer with a text.</summary>
    OllamaAnswers = OllamaChat | OllamaGenerate,

    /// <summary>All of Ollama's.</summary>
    OllamaAll = OllamaAnswers | OllamaEmbed | OllamaEmbeddings | OllamaShow,
    All = Computed | Tokenize | Detokenize | Kv,
}

/// <summary>What is done with a field.</summary>
enum FieldUse
{
    /// <summary>It does what its protocol says.</summary>
    Honoured,

    /// <summary>It would change the answer and cannot be honoured: a 400 that names it.</summary>
    Refused,

    /// <summary>Whatever it says, the answer is the same.</summary>
    Harmless,

    /// <summary>It asks for something besides the answer that there is not: the client hears that in a header.</summary>
    Skipped,
}

/// <summary>A field of a request.</summary>
/// <param name="Name">Its name, behind that of the object that it stands in.</param>
/// <param name="At">Where this holds.</param>
/// <param name="Use">What is done with it.</param>
/// <param name="Note">Of a refused one, what to do instead; of others, what a reader would not guess.</param>
/// <param name="Neutral">Of a refused one, values that ask for nothing, in JSON: clients send them unasked.</param>
sealed record RequestField(string Name, Endpoints At, FieldUse Use, string Note, params IReadOnlyList<string> Neutral)
{
    readonly JsonElement[] _neutral = [.. Neutral.Select(json => JsonElement.Parse(json))];

    /// <summary>Whether a value asks for something that is not done.</summary>
    public bool Refuses(Field value) =>
        Use == FieldUse.Refused && !value.IsAbsent && !Array.Exists(_neutral, neutral => JsonElement.DeepEquals(neutral, value.Json));
}
