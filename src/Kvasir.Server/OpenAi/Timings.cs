using System.Diagnostics;
using System.Text.Json.Serialization;
using Kvasir.Inference.Scheduling;
using Kvasir.Server.Serving;

namespace Kvasir.Server.OpenAi;

/// <summary>
/// How long an answer took, as llama-server tells it: tokens of the prompt that were found and computed, those of the answer, and their
/// times; the answer's is from its first token on.
/// </summary>
sealed record Timings(
    int CacheN, int PromptN, double PromptMs, double PromptPerTokenMs, double PromptPerSecond,
    int PredictedN, double PredictedMs, double PredictedPerTokenMs, double PredictedPerSecond)
{
    /// <summary>The policy through which an answer saw less than all of its prompt; absent of an exact one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? KvRetention { get; init; }

    /// <summary>Tokens that were guessed ahead; absent where none were.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? DraftN { get; init; }

    /// <summary>Those of them that were right.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? DraftNAccepted { get; init; }

    /// <summary>Those of an answer that is over; null unless they were asked for.</summary>
    public static Timings? Of(CompletionRun run, GenerationResult result) => run.Request.TellsTimings
        ? Of(result.ReusedTokens, result.ComputedTokens, result.TimeToFirstToken - result.QueueTime,
            result.TokenIds.Count, result.DecodeTime) with
        {
            KvRetention = run.RetentionOf([result])?.Policy,
            DraftN = result.Drafts is { Drafted: > 0 and var drafted } ? drafted : null,
            DraftNAccepted = result.Drafts is { Drafted: > 0, Accepted: var accepted } ? accepted : null,
        }
        : null;

    public static Timings Of(int cached, int computed, TimeSpan prompt, int predicted, TimeSpan answer) => new(
        cached, computed, prompt.TotalMilliseconds, Per(prompt.TotalMilliseconds, computed), Per(computed, prompt.TotalSeconds),
        predicted, answer.TotalMilliseconds, Per(answer.TotalMilliseconds, predicted), Per(predicted, answer.TotalSeconds));

    static double Per(double value, double by) => by > 0 ? value / by : 0;
}

/// <summary>How far a prompt is, as llama-server tells it: all its tokens, those found, and those done, which has found ones too.</summary>
sealed record PromptProgress(int Total, int Cache, int Processed, double TimeMs)
{
    /// <summary>The retention policy that was asked for: what is found may be so through a view. Absent without one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? KvRetention { get; init; }
}

/// <summary>What a stream says of progress and time on the way, as far as it was asked for.</summary>
sealed class StreamTimings(CompletionRun run)
{
    readonly long _start = Stopwatch.GetTimestamp();
    readonly (PrefillProgress? Prompt, long First, int Tokens)[] _choices = new (PrefillProgress?, long, int)[run.Request.Choices];

    /// <summary>How far the prompt is, if a piece says so and the client wants to know: first, what was found of it.</summary>
    public IEnumerable<PromptProgress> Progress(ChoicePiece piece)
    {
        if (!run.Request.TellsProgress || piece.Piece.Progress is not { } progress)
            return [];
        bool begins = _choices[piece.Choice].Prompt is null && progress.Done > progress.Reused;
        return begins ? [Of(progress, progress.Reused), Of(progress, progress.Done)] : [Of(progress, progress.Done)];
    }

    PromptProgress Of(PrefillProgress progress, int done) =>
        new(progress.Total, progress.Reused, done, Stopwatch.GetElapsedTime(_start).TotalMilliseconds)
        {
            KvRetention = run.Request.Options.Retention?.Policy.ToString(),
        };

    /// <summary>Takes a piece; returns what its answer took so far, if the client wants to know.</summary>
    public Timings? Take(ChoicePiece piece)
    {
        if (piece.Result is { } result)
            return Timings.Of(run, result);
        ref (PrefillProgress? Prompt, long First, int Tokens) choice = ref _choices[piece.Choice];
        if (piece.Piece.Progress is { } progress)
            choice.Prompt = progress;
        if (piece.Piece.Token < 0 || !run.Request.TellsTimings)
            return null;
        long now = Stopwatch.GetTimestamp();
        choice.First = choice.First == 0 ? now : choice.First;
        return Timings.Of(choice.Prompt!.Reused, choice.Prompt.Total - choice.Prompt.Reused,
            Stopwatch.GetElapsedTime(_start, choice.First), ++choice.Tokens, Stopwatch.GetElapsedTime(choice.First, now));
    }
}
