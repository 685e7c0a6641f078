using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Each row chooses the experts with the largest logits, of equal ones those with the lower numbers, and weighs them by the softmax of
/// their logits: among themselves, or among all. What a row chooses follows from its own logits.
/// </summary>
unsafe struct ChooseExperts<T>(FloatRows logits, ExpertPlan plan, bool amongAll) : IComputeJob where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count;

    public readonly void Run(int row, int thread)
    {
        ReadOnlySpan<float> all = logits.Span(row);
        Span<int> chosen = plan.Choices(row);
        Span<float> weights = plan.ChoiceWeights(row);
        Choose(all, chosen);
        float largest = all[chosen[0]];
        chosen.Sort();
        for (int i = 0; i < chosen.Length; i++)
            weights[i] = all[chosen[i]] - largest;
        float ofChosen = Exponentiate(weights), total = amongAll ? TotalOfAll(all, largest) : ofChosen;
        foreach (ref float weight in weights)
            weight /= total;
    }

    /// <summary>The largest first. What is no number is smaller than all numbers.</summary>
    static void Choose(ReadOnlySpan<float> logits, Span<int> chosen)
    {
        (float last, int lastExpert) = (float.PositiveInfinity, -1);
        foreach (ref int choice in chosen)
        {
            (float best, choice) = (float.NegativeInfinity, -1);
            for (int expert = 0; expert < logits.Length; expert++)
            {
                float logit = float.IsNaN(logits[expert]) ? float.NegativeInfinity : logits[expert];
                bool isLeft = logit < last || (logit == last && expert > lastExpert);
                if (isLeft && (logit > best || choice < 0))
                    (best, choice) = (logit, expert);
            }
            (last, lastExpert) = (best, choice);
        }
    }

    /// <summary>Makes numbers powers of e; returns their sum, in their order.</summary>
    static float Exponentiate(Span<float> numbers)
    {
        float* lanes = stackalloc float[Lane];
        float total = 0;
        for (int first = 0; first < numbers.Length; first += Lane)
        {
            Span<float> some = numbers[first..Math.Min(numbers.Length, first + Lane)];
            some.CopyTo(new Span<float>(lanes, Lane));
            T.Store(Exp<T>.Of(T.Load(lanes)), lanes);
            new ReadOnlySpan<float>(lanes, some.Length).CopyTo(some);
            foreach (float number in some)
                total += number;
        }
        return total;
    }

    static float TotalOfAll(ReadOnlySpan<float> logits, float largest)
    {
        Span<float> some = stackalloc float[Lane];
        float total = 0;
        for (int first = 0; first < logits.Length; first += Lane)
        {
            int count = Math.Min(Lane, logits.Length - first);
            for (int i = 0; i < count; i++)
                some[i] = logits[first + i] - largest;
            total += Exponentiate(some[..count]);
        }
        return total;
    }
}
