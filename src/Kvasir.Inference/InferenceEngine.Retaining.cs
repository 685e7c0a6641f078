using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference;

/// <content>Views without the scheduler, for measurements and tests.</content>
public sealed partial class InferenceEngine
{
    /// <summary>
    /// Computes a sequence's first tokens and goes on behind a view of them; on the calling thread, so not while completions are under way:
    /// for measurements and tests.
    /// </summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="options">What is kept.</param>
    /// <param name="prefix">Brings the prefix about; null computes it.</param>
    /// <param name="cancellation">Ends it early; the sequence is exact then.</param>
    internal RetentionUse Retain(Sequence sequence, RetentionOptions options, Action<Sequence>? prefix = null,
        CancellationToken cancellation = default)
    {
        if (options.Policy.ReadsPages)
            return ReadPages(sequence, options, prefix, cancellation);
        using RetentionRun run = new(_parts, sequence, options);
        run.ComputeKeys();
        run.Arrive();
        if (run.Subject is not { } subject)
            return run.Use;
        if (prefix is not null)
            prefix(subject);
        else
            Forward(subject, progress: null, cancellation);
        run.BeginProfile();
        while (run.IsProfiling)
            run.StepProfile(_transformer.MaxTokens);
        run.WaitUntilGathered();
        if (run.IsGathered)
            run.Enter();
        return run.Use;
    }

    /// <summary>
    /// Of a policy that keeps everything: rows behind the prefix read only some pages of it, until the sequence is cleared.
    /// </summary>
    RetentionUse ReadPages(Sequence sequence, RetentionOptions options, Action<Sequence>? prefix, CancellationToken cancellation)
    {
        int before = sequence.Tokens.Length - 1, from = options.Prefix ?? before - before % Layout.BlockTokens;
        PageReads pages = new(Layout, options.Policy, from);
        if (prefix is not null)
            prefix(sequence);
        sequence.Blocks.Cut(from);
        string? whyAll = Cache.WhyNotByPages(pages, Context);
        if (whyAll is null)
            sequence.Blocks.Read(pages);
        Forward(sequence, from);
        cancellation.ThrowIfCancellationRequested();
        return new RetentionUse(options.Policy.ToString()) { Pages = whyAll is null ? pages : null, WhyExact = whyAll };
    }

    /// <summary>Computes the first tokens of a sequence, on the calling thread: for measurements and tests.</summary>
    internal void Forward(Sequence sequence, int tokens)
    {
        while (sequence.Cached < tokens)
        {
            sequence.Blocks.Adopt(sequence.Tail[..tokens]);
            if (sequence.Cached < tokens)
                Compute(sequence, tokens - sequence.Cached, wantsAllLogits: false);
        }
    }
}
