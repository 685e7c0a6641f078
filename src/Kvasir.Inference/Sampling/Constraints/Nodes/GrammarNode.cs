namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>A part of a grammar: a set of texts. Immutable once its grammar is finished; shared by all completions.</summary>
abstract class GrammarNode
{
    /// <summary>The height of what has no finite text.</summary>
    public const int Endless = int.MaxValue;

    /// <summary>How deep the flattest text of this node nests; <see cref="Endless"/> if it has no text.</summary>
    public int Height { get; private set; } = Endless;

    /// <summary>
    /// Measures the height from those of the parts. In a grammar that refers back to itself, to be repeated until nothing changes.
    /// </summary>
    /// <returns>Whether it changed.</returns>
    public bool Settle()
    {
        int before = Height;
        Height = Measure();
        return Height != before;
    }

    protected abstract int Measure();

    /// <summary>The nodes that it is made of.</summary>
    public virtual IEnumerable<GrammarNode> Parts => [];

    /// <summary>Adds what may come in the text: this node from a position on, 0 at first, and after it the continuation.</summary>
    public abstract void Expand(StateBuilder builder, int position, Continuation next);
}
