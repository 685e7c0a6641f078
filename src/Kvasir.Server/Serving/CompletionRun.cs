using Kvasir.Inference.Scheduling;

namespace Kvasir.Server.Serving;

/// <summary>A piece of one of a request's answers; the last one has the result.</summary>
readonly record struct ChoicePiece(int Choice, CompletionPiece Piece, GenerationResult? Result);

/// <summary>
/// The answers to one request, on their way. They are read as they come; cancelling ends all of them at the engine's next step.
/// </summary>
sealed class CompletionRun : IDisposable
{
    static readonly TimeSpan s_silence = TimeSpan.FromSeconds(15); // less than proxies wait for

    readonly Completion[] _choices;
    readonly CancellationTokenSource _cancellation;
    readonly bool[] _isOver;
    readonly Task<bool>?[] _waits;
    Task? _ping;
    int _next;

    /// <summary>Begins them.</summary>
    /// <exception cref="ContextExceededException">The prompt does not fit.</exception>
    /// <exception cref="QueueFullException">Too many wait.</exception>
    public CompletionRun(ServedModel model, CompletionTask task, CancellationToken cancellation)
    {
        Task = task;
        _choices = new Completion[task.Choices];
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            for (int choice = 0; choice < _choices.Length; choice++)
                _choices[choice] = model.Engine.Start(task.Prompts[choice / task.PerPrompt], task.OptionsOf(choice), task.Salt, _cancellation.Token);
        }
        catch
        {
            Dispose();
            throw;
        }
        (_isOver, _waits) = (new bool[task.Choices], new Task<bool>?[task.Choices]);
    }

    public CompletionTask Task { get; }

    /// <summary>Whether there is nothing more to read.</summary>
    public bool IsOver => Array.TrueForAll(_isOver, over => over);

    /// <summary>All results.</summary>
    public Task<GenerationResult[]> Results => System.Threading.Tasks.Task.WhenAll(_choices.Select(choice => choice.Result));

    /// <summary>Takes a piece that is there already.</summary>
    /// <exception cref="Exception">The engine failed.</exception>
    public bool TryRead(out ChoicePiece piece)
    {
        for (int i = 0; i < _choices.Length; i++)
        {
            int choice = (_next + i) % _choices.Length;
            if (_isOver[choice])
                continue;
            if (_choices[choice].Pieces.TryRead(out CompletionPiece next))
            {
                (piece, _next) = (new ChoicePiece(choice, next, null), choice + 1);
                return true;
            }
            if (_choices[choice].Pieces.Completion.IsCompleted)
            {
                _isOver[choice] = true;
                piece = new ChoicePiece(choice, new CompletionPiece("", -1, null), _choices[choice].Result.GetAwaiter().GetResult());
                return true;
            }
        }
        piece = default;
        return false;
    }

    /// <summary>Waits for the next piece; false when it is time for a sign of life.</summary>
    public async ValueTask<bool> Wait()
    {
        _ping ??= System.Threading.Tasks.Task.Delay(s_silence);
        if (_choices.Length == 1 && _waits[0] is null)
        {
            ValueTask<bool> wait = _choices[0].Pieces.WaitToReadAsync(CancellationToken.None);
            if (wait.IsCompleted)
                return true;
            _waits[0] ??= wait.AsTask();
        }
        for (int choice = 0; choice < _choices.Length; choice++)
            if (!_isOver[choice])
                _waits[choice] ??= _choices[choice].Pieces.WaitToReadAsync(CancellationToken.None).AsTask();
        Task first = await System.Threading.Tasks.Task.WhenAny([_ping, .. _waits.OfType<Task>()]);
        for (int choice = 0; choice < _choices.Length; choice++)
            if (_waits[choice] is { IsCompleted: true })
                _waits[choice] = null;
        if (first != _ping)
            return true;
        _ping = null;
        return false;
    }

    /// <summary>Ends what still runs: it has a result soon.</summary>
    public void Cancel() => _cancellation.Cancel();

    /// <summary>Ends what still runs.</summary>
    public void Dispose()
    {
        _cancellation.Cancel();
        _cancellation.Dispose();
    }
}
