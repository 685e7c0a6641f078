namespace Kvasir.Inference.Scheduling;

/// <summary>A prompt does not fit into the context. Nothing is ever cut off silently.</summary>
/// <param name="tokens">Tokens of the sequence with the prompt.</param>
/// <param name="context">Tokens that the engine's context holds.</param>
/// <param name="trained">Tokens of context that the model was trained for.</param>
public sealed class ContextExceededException(int tokens, int context, int trained)
    : Exception($"the prompt has {tokens:N0} tokens and the context holds {context:N0}{(tokens == context ? ", so that nothing could follow" : "")}"
        + $" (this model was trained for up to {trained:N0})")
{
    /// <summary>Tokens of the sequence with the prompt.</summary>
    public int Tokens => tokens;

    /// <summary>Tokens that the engine's context holds.</summary>
    public int Context => context;

    /// <summary>Tokens of context that the model was trained for.</summary>
    public int Trained => trained;
}
