using Kvasir.Inference;
using Kvasir.Inference.Chat;

namespace Kvasir.Server.Serving;

/// <summary>The model that a server serves, under its name.</summary>
sealed class ServedModel(InferenceEngine engine, string id, string? chatTemplate)
{
    public InferenceEngine Engine => engine;

    public string Id => id;

    /// <summary>The node that serves it; null when there is only one.</summary>
    public string? Node { get; init; }

    /// <summary>Which of its answers may be less than exact.</summary>
    public RetentionRules Retention { get; init; } = new(null, []);

    /// <summary>What holds where requests say nothing.</summary>
    public RequestDefaults Defaults { get; init; } = new();

    /// <summary>What runs in it, in llama-server's terms.</summary>
    public SlotBook Slots { get; } = new(engine.MaxRunning);

    /// <summary>Whether a client that says this name means this model.</summary>
    public bool GoesBy(string name) =>
        name.Equals(id, StringComparison.OrdinalIgnoreCase) || name.Equals(engine.Model.Config.Name, StringComparison.OrdinalIgnoreCase)
            || name == "default";

    /// <summary>Since when it is served, in seconds of 1970.</summary>
    public long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Writes conversations as the model wants them.</summary>
    public ChatPrompts Prompts { get; } = new(engine.Model.Tokenizer, chatTemplate);
}
