using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Accounting;

namespace Kvasir.Server.Serving;

/// <summary>A piece of one of a request's answers; the last one has the result.</summary>
readonly record struct ChoicePiece(int Choice, CompletionPiece Piece, GenerationResult? Result)
{
    /// <summary>What it brings of the answer, without thoughts that are not told.</summary>
    public IEnumerable<AnswerPart> Read(AnswerReader reader, CompletionRequest request)
    {
        IReadOnlyList<AnswerPart> parts = Result is { } result ? reader.Flush(result.IsCut) : reader.Append(Piece.Text);
        return request.TellsThoughts ? parts : parts.Where(part => part.Kind != AnswerPartKind.Thought);
    }
}

/// <summary>
/// The answers to one request, on their way. They are read as they come; cancelling ends all of them at the engine's next step.
/// </summary>
sealed class CompletionRun : IDisposable
{
    const int MostAtOnce = 64; // a long list must not fill the queue in which others wait

    static readonly TimeSpan s_silence = TimeSpan.FromSeconds(15); // less than proxies wait for

    readonly ServedModel _model;
    readonly Completion[] _choices; // the first _begun of them
    readonly CancellationTokenSource _cancellation;
    readonly bool[] _isOver;
    readonly Task<bool>?[] _waits;
    Task? _ping;
    int _begun, _next;

    /// <summary>Begins them, or the first of many; the others follow as these end.</summary>
    /// <exception cref="ContextExceededException">The prompt does not fit.</exception>
    /// <exception cref="QueueFullException">Too many wait.</exception>
    public CompletionRun(ServedModel model, CompletionRequest request, CancellationToken cancellation)
    {
        (Request, _model) = (request, model);
        (_choices, _isOver, _waits) = (new Completion[request.Choices], new bool[request.Choices], new Task<bool>?[request.Choices]);
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            while (_begun < Math.Min(MostAtOnce, _choices.Length))
                BeginNext();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    void BeginNext()
    {
        _choices[_begun] = _model.Engine.Start(Request.Prompts[_begun / Request.PerPrompt], Request.OptionsOf(_begun),
            Request.Salt, _cancellation.Token);
        _begun++;
    }

    public CompletionRequest Request { get; }

    /// <summary>What the answer calls the model.</summary>
    public string ModelName => Request.Model ?? _model.Id;

    /// <summary>The number of the slot in which it runs.</summary>
    public int Slot { get; set; }

    /// <summary>Whether there is nothing more to read.</summary>
    public bool IsOver => Array.TrueForAll(_isOver, over => over);

    /// <summary>The results of those that have begun.</summary>
    public Task<GenerationResult[]> Results => Task.WhenAll(_choices.Take(_begun).Select(choice => choice.Result));

    /// <summary>The explanation that a client gets, if it asked: its own text is no secret to it.</summary>
    public Explanation? ExplanationOf(GenerationResult result) =>
        Request.Explains
            ? Explanation.Of(result, _model.Engine.Model.Tokenizer, seesOthers: Request.Salt.Length == 0) with { Node = _model.Node }
            : null;

    /// <summary>What usage says of a policy through which answers saw less than their prompts; null when all were exact.</summary>
    public RetentionUsage? RetentionOf(IEnumerable<GenerationResult> results) => RetentionUsage.Of(results.Chunk(Request.PerPrompt));

    /// <summary>Reads all of them to their ends, when they have ended: nobody waits for their pieces.</summary>
    public async Task<GenerationResult[]> ReadAll(Action<ChoicePiece> take)
    {
        var results = new GenerationResult[_choices.Length];
        while (!IsOver)
        {
            while (TryRead(out ChoicePiece piece))
            {
                take(piece);
                results[piece.Choice] = piece.Result ?? results[piece.Choice];
            }
            if (!IsOver && _begun == _choices.Length)
                await Results;
            else if (!IsOver)
                await Wait();
        }
        return results;
    }

    /// <summary>Takes a piece that is there already.</summary>
    /// <exception cref="Exception">The engine failed.</exception>
    public bool TryRead(out ChoicePiece piece)
    {
        for (int i = 0; i < _begun; i++)
        {
            int choice = (_next + i) % _begun;
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
                if (_begun < _choices.Length)
                    BeginNext();
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
        _ping ??= Task.Delay(s_silence);
        if (_choices.Length == 1 && _waits[0] is null)
        {
            ValueTask<bool> wait = _choices[0].Pieces.WaitToReadAsync(CancellationToken.None);
            if (wait.IsCompleted)
                return true;
            _waits[0] ??= wait.AsTask();
        }
        for (int choice = 0; choice < _begun; choice++)
            if (!_isOver[choice])
                _waits[choice] ??= _choices[choice].Pieces.WaitToReadAsync(CancellationToken.None).AsTask();
        Task first = await Task.WhenAny([_ping, .. _waits.OfType<Task>()]);
        for (int choice = 0; choice < _begun; choice++)
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
