using Kvasir.Inference.Drafting;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// How many guessed tokens of each sequence the next pass computes: those that make tokens come faster, by how likely they are right and
/// what a row costs. With rows that cost a share c of a pass each, a row pays that is right more often than c times the tokens which the
/// pass brings for its time so far.
/// </summary>
sealed class DraftPlanner(EngineParts engine)
{
    const double Anyway = 0.02; // chances that are worth a row whatever it costs
    const double BesidePrompts = 0.7; // where a row takes the time of a prompt's token
    const double Margin = 1.15; // estimates are no better
    const int RetryRows = 4;

    readonly RowCost _cost = new();

    /// <summary>Says of each sequence which of its guesses are computed.</summary>
    /// <param name="ready">Those that only need their last token.</param>
    /// <param name="besidePrompts">Whether the pass will have tokens of prompts, too.</param>
    public void Plan(List<Generation> ready, bool besidePrompts)
    {
        int most = ready.Count == 0 ? 0
            : Math.Min(engine.Transformer.MaxTokens - ready.Count, engine.MostLogitRows - ready.Count) / ready.Count;
        bool any = false;
        foreach (Generation generation in ready)
            any |= generation.Propose(most) > 0;
        if (!any)
            return;
        double perRow = _cost.PerRow(ready.Count), least = besidePrompts ? BesidePrompts : Margin * perRow * ready.Count;
        if (!besidePrompts && _cost.WantsPlain(ready.Count))
            least = double.PositiveInfinity;
        for (int round = 0, rows = -1; round < 4 && rows != 0; round++) // it rises, and rows become fewer, until it pays
        {
            (rows, double tokens) = Choose(ready, least);
            least = besidePrompts || rows == 0 ? least : Margin * perRow * tokens / (1 + perRow * rows);
        }
        if (!besidePrompts && _cost.WantsDrafts(ready.Count) && ready.TrueForAll(generation => generation.DraftRows == 0))
            Choose(ready, least: 0.5, RetryRows);
    }

    /// <summary>A pass without prompts took so long.</summary>
    public void Took(int sequences, int drafted, TimeSpan time) => _cost.Tell(sequences, drafted, time);

    static (int Rows, double Tokens) Choose(List<Generation> ready, double least, int most = int.MaxValue)
    {
        (int rows, double tokens) = (0, ready.Count);
        foreach (Generation generation in ready)
        {
            double bound = generation.DraftsAnyway ? Anyway : least;
            generation.DraftRows = 0;
            for (int row = 1; row <= Math.Min(most, generation.Guesses) && generation.ChanceOf(row) is var chance && chance > bound; row++)
                (generation.DraftRows, rows, tokens) = (row, rows + 1, tokens + chance);
        }
        return (rows, tokens);
    }
}
