using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Views;

namespace Kvasir.Server.Accounting;

/// <summary>
/// Says beside what was cached that an answer saw less than all keys and values of its prompt: by which policy, how many tokens a head
/// has of the beginning that the policy was applied to, in the mean, and which share of it that is.
/// </summary>
sealed record RetentionUsage(string Policy, double KeptTokens, double Ratio)
{
    /// <summary>That of the prompts which at least one answer saw through a view, together; null when all answers are exact.</summary>
    /// <param name="prompts">The answers to each prompt.</param>
    public static RetentionUsage? Of(IEnumerable<IEnumerable<GenerationResult>> prompts)
    {
        RetainedView[] views = [.. prompts.Select(View).OfType<RetainedView>()];
        if (views.Length == 0)
            return null;
        double kept = views.Sum(view => ViewHeads.Share(view) * view.Positions);
        return new RetentionUsage(views[0].Name.Policy, Math.Round(kept, 1), Math.Round(kept / views.Sum(view => view.Positions), 4));
    }

    static RetainedView? View(IEnumerable<GenerationResult> answers) =>
        answers.Select(answer => answer.Kv.Retention?.View).FirstOrDefault(view => view is not null);
}
