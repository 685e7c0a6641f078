namespace Kvasir.Inference.Drafting;

/// <summary>What came of the tokens that were guessed ahead and computed.</summary>
/// <param name="Drafted">How many.</param>
/// <param name="Accepted">Those that were the completion's next tokens.</param>
/// <param name="DraftedOfPrediction">Of the drafted ones, those that a given text proposed.</param>
/// <param name="AcceptedOfPrediction">Of the accepted ones, the same.</param>
public sealed record DraftUse(int Drafted, int Accepted, int DraftedOfPrediction = 0, int AcceptedOfPrediction = 0)
{
    /// <summary>Those that were computed for nothing.</summary>
    public int Rejected => Drafted - Accepted;

    /// <summary>Of those, the ones that a given text proposed.</summary>
    public int RejectedOfPrediction => DraftedOfPrediction - AcceptedOfPrediction;
}
