using Kvasir.Formats;
using Kvasir.Vulkan.Recording;

namespace Kvasir.Vulkan.Passes;

/// <summary>The kernels of a forward pass, and what each does with its memory.</summary>
static class PassKernels
{
    const Access R = Access.Read, W = Access.Write, RW = Access.ReadWrite;

    /// <summary>Rows of activations that share what is read of the weights, where there are several.</summary>
    public const int RowsAtOnce = 8;

    /// <summary>The widest value of a head.</summary>
    public const int MostValueDim = 512;

    /// <summary>x, weight, y.</summary>
    public static readonly Kernel RmsNorm = new("rms_norm", [R, R, W]);

    /// <summary>Heads, rotations.</summary>
    public static readonly Kernel Rope = new("rope", [RW, R]);

    /// <summary>Keys, values, rows, tables, blocks.</summary>
    public static readonly Kernel StoreKv = new("store_kv", [R, R, R, R, W]);

    /// <summary>Gate, up.</summary>
    public static readonly Kernel Gate = new("gate", [RW, R]);

    /// <summary>x, y.</summary>
    public static readonly Kernel Add = new("add", [RW, R]);

    /// <summary>Logits.</summary>
    public static readonly Kernel FormLogits = new("form_logits", [RW]);

    static readonly Kernel[] s_attention =
        [.. ((uint[])[1, 2, 4, 8]).Select(values => new Kernel("attention", [R, R, R, R, W], values))];

    static readonly Dictionary<TensorType, Kernel[]> s_products = WeightWords.All.ToDictionary(words => words.Type, words =>
        ((uint[])[1, RowsAtOnce]).Select(rows =>
            new Kernel($"product_{words.Type.ToString().ToLowerInvariant()}", [R, R, R, W], rows, (uint)words.UnitColumns)).ToArray());

    /// <summary>All of them.</summary>
    public static IEnumerable<Kernel> All =>
        [RmsNorm, Rope, StoreKv, Gate, Add, FormLogits, .. s_attention, .. s_products.Values.SelectMany(kernels => kernels)];

    /// <summary>Queries, rows, tables, blocks, result; for values so wide.</summary>
    public static Kernel Attention(int valueDim) => s_attention.First(kernel => kernel.Constants[0] * Kernel.Lanes >= valueDim);

    /// <summary>Weights, x, bias, y; for weights of a type, and so many rows.</summary>
    public static Kernel Product(TensorType type, int rows) => s_products[type][rows > 1 ? 1 : 0];
}
