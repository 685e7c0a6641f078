namespace Kvasir.Formats.Models;

/// <summary>One layer: attention, or a state that it carries along instead, or both, and a feed-forward network.</summary>
public sealed record LayerSpec
{
    /// <summary>Its attention; null where it has none, and so neither keys nor values.</summary>
    public AttentionSpec? Attention { get; init; }

    /// <summary>
    /// Numbers that the layer carries from token to token, as many whatever came before (a recurrence's state, a convolution's last
    /// inputs); 0 for none.
    /// </summary>
    public long StateElements { get; init; }

    /// <summary>Its feed-forward network; null when the source does not say.</summary>
    public FeedForwardSpec? FeedForward { get; init; }

    /// <summary>Where it normalises the residual stream, or what is added to it.</summary>
    public NormPlaces Norms { get; init; } = NormPlaces.BeforeSublayers;

    /// <summary>Whether attention and network read the same input and are added at once, not one after the other.</summary>
    public bool IsParallel { get; init; }
}

/// <summary>A feed-forward network.</summary>
/// <param name="Width">Width of its hidden layer; of a mixture, of one expert's.</param>
/// <param name="Activation">
/// Name of its activation function as transformers has it, such as <c>silu</c> or <c>gelu_pytorch_tanh</c>.
/// </param>
public sealed record FeedForwardSpec(int Width, string Activation)
{
    /// <summary>The sigmoid's: <c>x · σ(x)</c>.</summary>
    public const string Silu = "silu";

    /// <summary>The error function's, approximated with tanh.</summary>
    public const string Gelu = "gelu_pytorch_tanh";

    /// <summary>
    /// Whether the activation of one product is multiplied with another (Shazeer, 2020, https://arxiv.org/abs/2002.05202).
    /// </summary>
    public bool IsGated { get; init; } = true;

    /// <summary>Experts from which each token chooses some; 0 for one network for all tokens.</summary>
    public int Experts { get; init; }

    /// <summary>How many of them a token chooses: those with the largest logits.</summary>
    public int Chosen { get; init; }

    /// <summary>
    /// Whether a chosen expert's weight is its share among all experts; without this, weights of those that are chosen sum up to 1.
    /// </summary>
    public bool WeighsAmongAll { get; init; }

    /// <summary>
    /// What activations are held within; null for nothing. With a limit the network is that of gpt-oss: with <c>g = min(gate, limit)</c>
    /// and <c>u</c> between <c>-limit</c> and <c>limit</c>, <c>g · σ(1.702 · g) · (u + 1)</c>.
    /// </summary>
    public float? Limit { get; init; }
}

/// <summary>How a model normalises.</summary>
/// <param name="Kind">By which formula.</param>
/// <param name="Epsilon">What is added to the mean square, or to the variance; null when the source does not say.</param>
public sealed record NormSpec(NormKind Kind, float? Epsilon);

/// <summary>The formula of a norm.</summary>
public enum NormKind
{
    /// <summary>Root mean square (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467).</summary>
    Rms,

    /// <summary>Mean and variance (Ba et al., 2016, https://arxiv.org/abs/1607.06450).</summary>
    Layer,
}

/// <summary>Where a layer has norms as wide as the residual stream.</summary>
[Flags]
public enum NormPlaces
{
    /// <summary>Nowhere.</summary>
    None = 0,

    /// <summary>Before attention.</summary>
    BeforeAttention = 1,

    /// <summary>After attention, before its result is added.</summary>
    AfterAttention = 2,

    /// <summary>Before the feed-forward network.</summary>
    BeforeFeedForward = 4,

    /// <summary>After the feed-forward network, before its result is added.</summary>
    AfterFeedForward = 8,

    /// <summary>Before both: Llama and most others.</summary>
    BeforeSublayers = BeforeAttention | BeforeFeedForward,

    /// <summary>Before and after both: Gemma 2 and 3.</summary>
    AroundSublayers = BeforeSublayers | AfterAttention | AfterFeedForward,
}
