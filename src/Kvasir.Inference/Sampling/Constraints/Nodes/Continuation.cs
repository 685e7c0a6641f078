using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>A node from a position on and what follows it: an entry of a stack.</summary>
readonly record struct Frame(GrammarNode Node, int Position, Continuation Next);

/// <summary>
/// What may follow when a node is finished: the tops of any number of stacks, which share all that they have in common. Without sharing, a
/// grammar that cannot tell early which of two nested alternatives it is in would have twice as many stacks with each level. Tomita,
/// "Efficient Parsing for Natural Language", 1986.
/// </summary>
sealed class Continuation
{
    Continuation(ImmutableArray<Frame> frames, int depth, bool canEnd) => (Frames, Depth, CanEnd) = (frames, depth, canEnd);

    public Continuation(Frame frame) : this([frame], frame.Next.Depth + (frame.Node is Nested ? 1 : 0), canEnd: false) { }

    /// <summary>Nothing follows.</summary>
    public static Continuation End { get; } = new([], 0, canEnd: true);

    public ImmutableArray<Frame> Frames { get; }

    /// <summary>Whether nothing may follow, too.</summary>
    public bool CanEnd { get; }

    /// <summary>How many levels of nesting surround what comes before.</summary>
    public int Depth { get; }

    /// <summary>Either of two continuations of the same depth.</summary>
    /// <param name="other">The second.</param>
    /// <param name="known">Unions made before, without which stacks that share much would be walked once for each way through them.</param>
    public Continuation Or(Continuation other, Dictionary<(Continuation, Continuation), Continuation> known)
    {
        if (ReferenceEquals(this, other))
            return this;
        if (known.TryGetValue((this, other), out Continuation? union))
            return union;
        var frames = Frames.ToBuilder();
        bool isLarger = other.CanEnd && !CanEnd;
        foreach (Frame frame in other.Frames)
            isLarger |= Include(frame, frames, known);
        return known[(this, other)] = isLarger ? new Continuation(frames.ToImmutable(), Depth, CanEnd || other.CanEnd) : this;
    }

    static bool Include(Frame frame, ImmutableArray<Frame>.Builder frames, Dictionary<(Continuation, Continuation), Continuation> known)
    {
        bool mayGoDeeper = RuntimeHelpers.TryEnsureSufficientExecutionStack(); // stacks may be as high as the text is long
        for (int i = 0; i < frames.Count && mayGoDeeper; i++)
            if (frames[i].Node == frame.Node && frames[i].Position == frame.Position)
            {
                Continuation next = frames[i].Next.Or(frame.Next, known);
                bool isLarger = !ReferenceEquals(next, frames[i].Next);
                frames[i] = frame with { Next = next };
                return isLarger;
            }
        frames.Add(frame);
        return true;
    }
}
