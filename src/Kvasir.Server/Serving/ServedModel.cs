using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>The model that a server serves, under its names.</summary>
sealed class ServedModel(InferenceEngine engine, string id, string? chatTemplate)
{
    public InferenceEngine Engine => engine;

    /// <summary>The first of its names: what answers call it where nobody says another.</summary>
    public string Id => id;

    /// <summary>Its other names.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Words that the list of models has beside it.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether it answers to every name.</summary>
    public bool AnswersToAll { get; init; }

    /// <summary>The names that are listed.</summary>
    public IEnumerable<string> Names => [id, .. Aliases];

    /// <summary>The node that serves it; null when there is only one.</summary>
    public string? Node { get; init; }

    /// <summary>Which of its answers may be less than exact.</summary>
    public RetentionRules Retention { get; init; } = new(null, []);

    /// <summary>What holds where requests say nothing.</summary>
    public RequestDefaults Defaults { get; init; } = new();

    /// <summary>What runs in it, in llama-server's terms.</summary>
    public SlotBook Slots { get; } = new(engine.MaxRunning);

    /// <summary>Whether a client that says this name means this model.</summary>
    public bool GoesBy(string name) => AnswersToAll || name == "default" || Known(name) is not null;

    /// <summary>What a client that says this name is answered by: the name itself, or the first one where it leaves the choice.</summary>
    /// <exception cref="RequestException">It means another model.</exception>
    public string NameFor(string? name) => name is null or "" or "default" ? id
        : Known(name) ?? (AnswersToAll ? name : throw NotFound($"model: {Printable.Quote(name)} is not served here"));

    /// <summary>The error for another name, with those that there are.</summary>
    /// <param name="what">That it is none, in the words of the protocol.</param>
    public RequestException NotFound(string what) => new(404,
        $"{what}, expected {string.Join(" or ", Names.Select(known => Printable.Quote(known)))}; the server's --alias adds names, "
            + "--any-model takes all", "model", "model_not_found");

    string? Known(string name) => Names.FirstOrDefault(known => known.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? (name.Equals(engine.Model.Config.Name, StringComparison.OrdinalIgnoreCase) ? id : null);

    /// <summary>Since when it is served, in seconds of 1970.</summary>
    public long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Writes conversations as the model wants them.</summary>
    public ChatPrompts Prompts { get; } = new(engine.Model.Tokenizer, chatTemplate);
}
