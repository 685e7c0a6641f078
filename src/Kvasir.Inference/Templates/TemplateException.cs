namespace Kvasir.Inference.Templates;

/// <summary>A chat template is malformed, went wrong, did too much, or refused its variables.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Creates the exception from a finished line, or from what the template itself has to say.</summary>
    public TemplateException(string message, bool raisedByTemplate = false) : base(message) => RaisedByTemplate = raisedByTemplate;

    /// <summary>
    /// Whether the template called <c>raise_exception</c>: the message is the template's own and the conversation to blame.
    /// </summary>
    public bool RaisedByTemplate { get; }
}
