namespace Kvasir.Inference.Kernels;

/// <summary>
/// Keys and values of one KV head that the rows of a run attend to, in places that ascend with their positions: a sequence's blocks, where
/// places are positions, or what a view keeps of a prefix. Sixteen places from a multiple of sixteen on lie one after another.
/// </summary>
unsafe interface IKvSource
{
    /// <summary>How a key is stored.</summary>
    KvRows Keys { get; }

    /// <summary>How a value is stored.</summary>
    KvRows Values { get; }

    /// <summary>The first place that a row of the batch sees. Ascends with the rows.</summary>
    int First(int row);

    /// <summary>The place after the last that it sees. Ascends with the rows.</summary>
    int End(int row);

    /// <summary>The key of a place.</summary>
    byte* Key(int place);

    /// <summary>The value of a place.</summary>
    byte* Value(int place);
}
