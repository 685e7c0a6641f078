namespace Kvasir.Inference.Tokenization;

/// <summary>The model has no chat template, or none that is supported. The message is one line and names the way out.</summary>
public sealed class ChatFormatException : Exception
{
    /// <summary>Creates the exception from a finished line.</summary>
    public ChatFormatException(string message) : base(message) { }
}
