using Kvasir.Inference.Chat.Answers;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>What a call asks of the engine.</summary>
/// <param name="Plan">The conversation, and how the answer is made and read.</param>
/// <param name="Options">How to go on from there.</param>
/// <param name="Salt">Whose cache it is.</param>
/// <param name="TellsThoughts">Whether the caller wants to know what the model thinks.</param>
sealed record ChatCall(AnswerPlan Plan, GenerationOptions Options, byte[] Salt, bool TellsThoughts);
