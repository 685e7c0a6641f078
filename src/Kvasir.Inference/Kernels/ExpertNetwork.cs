using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// A mixture of experts: <c>y = Σ_e weight[e] · W_down[e] · (activation(W_gate[e] · x) ⊙ W_up[e] · x)</c> over the experts that a row
/// chooses. Shazeer et al., 2017, https://arxiv.org/abs/1701.06538.
/// </summary>
sealed class ExpertNetwork
{
    public required PackedMatrix Router { get; init; } // [experts, d]
    public FloatRows? RouterBias { get; init; } // [experts]
    public required PackedMatrix Gate { get; init; } // [experts · feed-forward, d], a stack
    public required PackedMatrix Up { get; init; } // [experts · feed-forward, d], a stack
    public required PackedMatrix Down { get; init; } // [experts · d, feed-forward], a stack
    public FloatRows? GateBias { get; init; } // [experts, feed-forward]
    public FloatRows? UpBias { get; init; } // [experts, feed-forward]
    public FloatRows? DownBias { get; init; } // [experts, d]

    /// <summary>How many experts a row chooses: those with the largest logits.</summary>
    public required int Chosen { get; init; }

    /// <summary>Whether an expert's weight is its share among all; otherwise, shares are among those that are chosen.</summary>
    public bool WeighsAmongAll { get; init; }

    /// <summary>What activations are held within, see <see cref="SwiGlu{T}"/>; null for nothing.</summary>
    public float? Limit { get; init; }

    /// <summary>Experts from which rows choose.</summary>
    public int Count => Router.Rows;

    /// <summary>The matrices of which a row reads the chosen experts only.</summary>
    public IEnumerable<PackedMatrix> Stacks => [Gate, Up, Down];

    /// <summary>How large memory has to be.</summary>
    public ExpertSize Size => new(Count, Chosen, Gate.Columns, Down.Columns);
}

/// <summary>How large the memory of experts has to be.</summary>
/// <param name="Experts">The most experts of a layer.</param>
/// <param name="Chosen">The most that a row chooses.</param>
/// <param name="Width">Their inputs.</param>
/// <param name="Network">The widest hidden layer.</param>
readonly record struct ExpertSize(int Experts, int Chosen, int Width, int Network)
{
    /// <summary>Whichever is larger in each respect.</summary>
    public ExpertSize Or(ExpertSize other) => new(Math.Max(Experts, other.Experts), Math.Max(Chosen, other.Chosen),
        Math.Max(Width, other.Width), Math.Max(Network, other.Network));
}
