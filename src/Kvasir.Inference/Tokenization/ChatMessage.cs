namespace Kvasir.Inference.Tokenization;

/// <summary>
/// One turn of a conversation; <paramref name="Role"/> is <c>system</c>, <c>user</c>, <c>assistant</c> or another that the model knows.
/// </summary>
public sealed record ChatMessage(string Role, string Content);
