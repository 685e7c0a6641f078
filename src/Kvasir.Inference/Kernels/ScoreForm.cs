using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// How products of queries and keys become scores: <c>cap · tanh(scale · temperature(position) · q · k / cap)</c>. Scores are powers of 2
/// here, so that the softmax needs no logarithm.
/// </summary>
/// <param name="Scale">What products are multiplied with; null for <c>1 / sqrt(key dim)</c>.</param>
/// <param name="Softcap">What scores stay within (Gemma Team, 2024, https://arxiv.org/abs/2408.00118); null for nothing.</param>
/// <param name="Temperature">How queries grow with their position; null where they do not.</param>
readonly record struct ScoreForm(float? Scale, float? Softcap, QueryTemperature? Temperature)
{
    public static ScoreForm Of(AttentionSpec attention) => new(attention.Scale, attention.Softcap, attention.Temperature);

    /// <summary>What a query is multiplied with for scores as powers of 2, before they are capped.</summary>
    public float OfQuery(int keyDim, int position) =>
        (float)((Scale ?? 1 / Math.Sqrt(keyDim)) / Math.Log(2)) * (Temperature?.At(position) ?? 1);

    /// <summary>What a score is multiplied with to be one as a power of 2.</summary>
    public const double PowersOf2 = 1.4426950408889634; // 1 / ln 2

    /// <summary>The cap as a power of 2; null for none.</summary>
    public float? Cap => (float?)(Softcap / Math.Log(2));
}

/// <summary>Numbers held within a cap: <c>c · tanh(x / c)</c>, where <c>tanh(x) = 1 - 2 / (1 + e^(2x))</c>.</summary>
static unsafe class SoftCap<T> where T : struct, ILanes<T>
{
    /// <summary>Caps numbers in place, whole vectors of them.</summary>
    public static void Apply(float* x, int count, float cap)
    {
        T one = T.Broadcast(1), two = T.Broadcast(2), most = T.Broadcast(cap), twice = T.Broadcast(2 / cap);
        for (int i = 0; i < count; i += ILanes<T>.Count)
            T.Store(most * (one - two / (one + Exp<T>.Of(T.Load(x + i) * twice))), x + i);
    }
}

/// <summary>Logits as a model forms them: multiplied, then capped.</summary>
unsafe struct FormLogits<T>(FloatRows logits, float? scale, float? cap) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        float* x = logits[row];
        for (int i = 0; i < logits.Stride && scale is not null; i += ILanes<T>.Count)
            T.Store(T.Load(x + i) * T.Broadcast(scale.Value), x + i);
        if (cap is not null)
            SoftCap<T>.Apply(x, logits.Stride, cap.Value);
    }
}
