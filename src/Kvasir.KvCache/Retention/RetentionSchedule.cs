namespace Kvasir.KvCache.Retention;

/// <summary>How a budget is divided among layers and heads.</summary>
public enum RetentionSchedule
{
    /// <summary>The same for every head.</summary>
    Uniform,

    /// <summary>
    /// The same for every layer, whose heads share it by their scores (AdaKV, Feng et al., 2024, https://arxiv.org/abs/2407.11550).
    /// </summary>
    Layer,

    /// <summary>The best positions of all layers and heads.</summary>
    Global,

    /// <summary>More in the first layers than in the last (PyramidKV, Cai et al., 2024, https://arxiv.org/abs/2406.02069).</summary>
    Pyramid,

    /// <summary>The pyramid upside down.</summary>
    Funnel,
}
