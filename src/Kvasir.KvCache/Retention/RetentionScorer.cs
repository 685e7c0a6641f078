namespace Kvasir.KvCache.Retention;

/// <summary>What says how much a position is worth to a head.</summary>
public enum RetentionScorer
{
    /// <summary>
    /// Nothing: the first and the last positions are kept (StreamingLLM, Xiao et al., 2023, https://arxiv.org/abs/2309.17453).
    /// </summary>
    Window,

    /// <summary>How late a position is: a window of what a budget has room for.</summary>
    Recent,

    /// <summary>A hash of position, layer and head: what every other scorer has to beat.</summary>
    Random,

    /// <summary>Attention that the prompt's own rows gave (H2O, Zhang et al., 2023, https://arxiv.org/abs/2306.14048).</summary>
    H2O,

    /// <summary>Attention of the prompt's last rows (SnapKV, Li et al., 2024, https://arxiv.org/abs/2404.14469).</summary>
    SnapKv,

    /// <summary>The kind of the head (FastGen, Ge et al., 2023, https://arxiv.org/abs/2310.01801).</summary>
    FastGen,

    /// <summary>Attention that later queries are expected to give (Devoto et al., 2025, https://arxiv.org/abs/2510.00636).</summary>
    Expected,

    /// <summary>The greatest attention while the prompt is repeated (KVzip, Kim et al., 2025, https://arxiv.org/abs/2505.23416).</summary>
    Replay,

    /// <summary>
    /// Nothing: all is kept, and each row reads the pages whose keys may match its query best (Quest, Tang et al., 2024,
    /// https://arxiv.org/abs/2406.10774).
    /// </summary>
    Quest,
}
