using System.Threading.Channels;

namespace Kvasir.Inference.Scheduling;

/// <summary>A piece of a completion.</summary>
/// <param name="Text">Text that is certain now, never half a character; may be empty.</param>
/// <param name="Token">The token that it came with; -1 for text that was held back until the end.</param>
/// <param name="Logprobs">How likely the token was, when that was asked for.</param>
/// <param name="Progress">How far the prompt is, when that was asked for; then there is nothing else in the piece.</param>
public readonly record struct CompletionPiece(string Text, int Token, TokenLogprobs? Logprobs, PrefillProgress? Progress = null)
{
    /// <summary>
    /// How likely each token of the prompt was, when that was asked for: in a piece of its own, before the first token. The first is null.
    /// </summary>
    public IReadOnlyList<TokenLogprobs?>? PromptLogprobs => Progress?.Logprobs;
}

/// <summary>A completion on its way. The engine goes on whether it is read or not.</summary>
public sealed class Completion
{
    // bounded by the context
    readonly Channel<CompletionPiece> _pieces =
        Channel.CreateUnbounded<CompletionPiece>(new() { SingleReader = true, SingleWriter = true });
    readonly TaskCompletionSource<GenerationResult> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Completion() { }

    /// <summary>The pieces as they come, to be read once; ends with the completion, however it ends.</summary>
    public ChannelReader<CompletionPiece> Pieces => _pieces.Reader;

    /// <summary>What came of it. Faulted when the engine could not go on; a cancelled completion has a result like any other.</summary>
    public Task<GenerationResult> Result => _result.Task;

    internal void Emit(CompletionPiece piece) => _pieces.Writer.TryWrite(piece);

    internal void Complete(GenerationResult result)
    {
        _result.TrySetResult(result);
        _pieces.Writer.TryComplete();
    }

    internal void Fail(Exception e)
    {
        _result.TrySetException(e);
        _pieces.Writer.TryComplete();
    }
}
