using System.Text.Json.Serialization;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Views;

namespace Kvasir.Server.Accounting;

/// <summary>
/// Says beside what was cached that an answer saw less than all keys and values of its prompt: by which policy, how many tokens a head
/// has of the beginning that the policy was applied to, in the mean, and which share of it that is.
/// </summary>
/// <param name="Policy">The policy.</param>
/// <param name="KeptTokens">The tokens; absent where everything is kept and rows read some of it.</param>
/// <param name="Ratio">The share: of what is kept, or of the pages that rows read.</param>
/// <param name="Bound">The share of its attention that what a row skipped had at most; absent where the policy bounds none.</param>
sealed record RetentionUsage(string Policy,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? KeptTokens, double Ratio,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? Bound = null)
{
    /// <summary>That of the prompts which at least one answer saw through a view, together; null when all answers are exact.</summary>
    /// <param name="prompts">The answers to each prompt.</param>
    public static RetentionUsage? Of(IEnumerable<IEnumerable<GenerationResult>> prompts)
    {
        RetentionUse[] paged = [.. prompts.SelectMany(answers => answers).Select(answer => answer.Kv.Retention)
            .Where(use => use?.Pages is { Use: { Read: var read, Seen: var seen } } && read < seen).OfType<RetentionUse>()];
        if (paged.Length > 0)
            return OfPages(paged[0].Policy, [.. paged.Select(use => use.Pages!.Use)]);
        RetainedView[] views = [.. prompts.Select(View).OfType<RetainedView>()];
        if (views.Length == 0)
            return null;
        double kept = views.Sum(view => ViewHeads.Share(view) * view.Positions);
        return new RetentionUsage(views[0].Name.Policy, Math.Round(kept, 1), Math.Round(kept / views.Sum(view => view.Positions), 4));
    }

    static RetentionUsage OfPages(string policy, PageUse[] answers) => new(policy, null,
        Math.Round((double)answers.Sum(use => use.Read) / answers.Sum(use => use.Seen), 4), answers.Max(use => use.Bound));

    static RetainedView? View(IEnumerable<GenerationResult> answers) =>
        answers.Select(answer => answer.Kv.Retention?.View).FirstOrDefault(view => view is not null);
}
