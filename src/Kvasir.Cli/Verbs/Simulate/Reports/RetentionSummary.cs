using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>What a policy changes. Exact sequences are whole blocks of the pool, too.</summary>
sealed record RetentionSummary(string Policy, int QuestionTokens, int Position, double StepS, double ExactStepS,
    long? Sequences, long? ExactSequences, long? Context, long? ExactContext)
{
    public static RetentionSummary Of(SimulatedRetention retention, RetainedShape retained, MachineShape exact) => new(
        retention.Keeps.ToString(), retention.QuestionTokens, retained.Position, retained.SecondsPerOutputToken,
        exact.SecondsPerOutputToken, retained.Thinned?.Sequences, retained.Exact?.Sequences, retained.Thinned?.Context,
        retained.Exact?.Context);

    public override string ToString() =>
        $"kept by {Policy}, all but {QuestionTokens:N0} tokens at the end of a prompt: "
        + (Sequences is null ? "" : $"{Sequences:N0} sequences of {Position:N0} tokens fit instead of {ExactSequences:N0}, or one of "
            + $"{Context:N0} instead of {ExactContext:N0}; ")
        + $"{StepS * 1e3:0.#} ms between tokens instead of {ExactStepS * 1e3:0.#}";
}
