namespace Kvasir.Inference.Scheduling;

/// <summary>What a scheduler is doing.</summary>
/// <param name="Running">Completions that compute.</param>
/// <param name="Waiting">Completions that wait for their turn, or for room.</param>
/// <param name="Preemptions">How often one gave its blocks back for others, since the start.</param>
/// <param name="Steps">Passes through the model since the start.</param>
/// <param name="ComputedTokens">Tokens computed in them, guesses that were wrong not counted.</param>
/// <param name="QueuedTokens">Tokens of prompts that are still to be computed or found, as far as it is known yet.</param>
public readonly record struct SchedulerCounts(
    int Running, int Waiting, long Preemptions, long Steps, long ComputedTokens, long QueuedTokens);
