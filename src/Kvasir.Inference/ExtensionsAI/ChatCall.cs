using Kvasir.Inference.Scheduling;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>What a call asks of the engine.</summary>
/// <param name="Prompt">Tokens of the conversation and of the start of the answer.</param>
/// <param name="Options">How to go on from there.</param>
/// <param name="Salt">Whose cache it is.</param>
/// <param name="OffersTools">Whether the answer may be calls of tools.</param>
sealed record ChatCall(int[] Prompt, GenerationOptions Options, byte[] Salt, bool OffersTools);
