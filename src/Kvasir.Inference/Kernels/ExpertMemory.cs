using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>The intermediate values of mixtures of experts, allocated once for the largest batch and the largest layer.</summary>
sealed class ExpertMemory : IDisposable
{
    readonly FloatRows _hidden, _logits;
    readonly Dictionary<(FloatRows Memory, int Width), FloatRows> _views = []; // layers of other widths take turns
    readonly int _pairs, _width;

    /// <param name="size">The largest layer.</param>
    /// <param name="tokens">The most rows of a batch.</param>
    /// <param name="threads">Threads that compute.</param>
    public ExpertMemory(ExpertSize size, int tokens, int threads)
    {
        (_pairs, _width) = (checked(tokens * size.Chosen), size.Width);
        Plan = new ExpertPlan(size.Experts, size.Chosen, tokens);
        int tiles = ExpertPlan.MostTiles(size.Experts, _pairs);
        Quantized = new QuantizedRows(tiles * QuantizedRows.Tile, Math.Max(size.Width, size.Network));
        (_hidden, _logits) = (new FloatRows(_pairs, size.Network), new FloatRows(tokens, size.Experts));
        (Hidden, Logits) = (_hidden, _logits);
        Strips = [.. Enumerable.Range(0, threads).Select(_ => new FloatRows(tokens, FloatPanels.PanelOutputs))];
    }

    public ExpertPlan Plan { get; }
    public FloatRows Logits { get; private set; } // [rows, experts]
    public FloatRows Hidden { get; private set; } // [pairs, feed-forward]
    public QuantizedRows Quantized { get; } // [tiles of pairs, d or feed-forward]
    public FloatRows? Gathered { get; private set; } // [pairs, d]; where weights are floats
    public FloatRows[] Strips { get; } // for each thread, [rows, 64]

    /// <summary>Gives the memory the widths of a layer.</summary>
    public void Fit(ExpertNetwork network)
    {
        (Hidden, Logits) = (View(_hidden, network.Down.Columns), View(_logits, network.Count));
        if (Gathered is null && !(network.Gate.IsQuantized && network.Up.IsQuantized))
            Gathered = new FloatRows(_pairs, _width);
    }

    FloatRows View(FloatRows memory, int width)
    {
        if (memory.Width == width)
            return memory;
        if (!_views.TryGetValue((memory, width), out FloatRows? view))
            _views[(memory, width)] = view = memory.OfWidth(width);
        return view;
    }

    public void Dispose()
    {
        Quantized.Dispose();
        Gathered?.Dispose();
        foreach (FloatRows rows in (FloatRows[])[_hidden, _logits, .. Strips])
            rows.Dispose();
    }
}
