using System.Numerics;

namespace Kvasir.Inference.Drafting;

/// <summary>
/// What a drafted row adds to a pass that has no prompts in it, as a share of the pass without drafts: measured on this machine while
/// it serves, for each number of sequences apart. A straight line, which fits what is memory-bound at first and compute-bound then well
/// enough.
/// </summary>
sealed class RowCost
{
    const double Guess = 0.06, GuessWeight = 64; // as if eight rows had been measured once
    const double Fading = 0.98;
    const double Least = 0.002;
    const double MostPlain = 1.5, MostRise = 2, MostRiseFromNothing = 0.02; // a pass that was held up says little
    const int Stale = 64; // passes after which a plain one is wanted, to compare with
    const int Retry = 128; // passes after which what was too dear is measured again

    readonly Line[] _lines = [.. Enumerable.Range(0, 16).Select(_ => new Line())]; // by the number of sequences, rounded up to 2ⁿ

    sealed class Line
    {
        public double Plain; // seconds of a pass without drafts
        public double Products = Guess * GuessWeight, Squares = GuessWeight; // Σ rows · extra share, Σ rows²
        public int SincePlain = Stale - 4, SinceDrafts; // a short answer's drafts need not wait for a comparison
    }

    /// <summary>Of a pass of so many sequences.</summary>
    public double PerRow(int sequences) => LineOf(sequences) is var line ? Math.Max(Least, line.Products / line.Squares) : 0;

    /// <summary>Whether the next pass is to have no drafts, so that others can be compared with it.</summary>
    public bool WantsPlain(int sequences) => LineOf(sequences).SincePlain >= Stale;

    /// <summary>Whether drafts are to be in the next pass though they seem not to pay, to see whether that is still so.</summary>
    public bool WantsDrafts(int sequences) => LineOf(sequences).SinceDrafts >= Retry;

    /// <summary>A pass took so long.</summary>
    public void Tell(int sequences, int drafted, TimeSpan took)
    {
        Line line = LineOf(sequences);
        if (drafted == 0)
        {
            double plain = line.Plain == 0 ? took.TotalSeconds : Math.Min(took.TotalSeconds, MostPlain * line.Plain);
            line.Plain = line.SincePlain > Stale ? plain : line.Plain + 0.25 * (plain - line.Plain);
            (line.SincePlain, line.SinceDrafts) = (0, line.SinceDrafts + 1);
            return;
        }
        (line.SincePlain, line.SinceDrafts) = (line.SincePlain + 1, 0);
        if (line.Plain == 0 || line.SincePlain > Stale)
            return; // nothing to compare with
        double most = drafted * (MostRise * line.Products / line.Squares + MostRiseFromNothing);
        double extra = Math.Clamp(took.TotalSeconds / line.Plain - 1, -0.25, Math.Max(0, most));
        line.Products = line.Products * Fading + drafted * extra;
        line.Squares = line.Squares * Fading + (double)drafted * drafted;
    }

    Line LineOf(int sequences) => _lines[Math.Min(_lines.Length - 1, BitOperations.Log2((uint)Math.Max(1, 2 * sequences - 1)))];
}
