namespace Kvasir.Server.Serving;

/// <summary>Where an answer has the model's thoughts.</summary>
public enum ReasoningFormat
{
    /// <summary>In a field, or blocks, of their own.</summary>
    Apart,

    /// <summary>In the text, with their markers.</summary>
    InText,

    /// <summary>In the text of streams, and in a field of whole answers.</summary>
    InTextOfStreams,
}

/// <summary>The names that llama-server has for these.</summary>
public static class ReasoningFormats
{
    static readonly Dictionary<string, ReasoningFormat> s_formats = new()
    {
        ["auto"] = ReasoningFormat.Apart,
        ["deepseek"] = ReasoningFormat.Apart,
        ["none"] = ReasoningFormat.InText,
        ["deepseek-legacy"] = ReasoningFormat.InTextOfStreams,
    };

    /// <summary>The names.</summary>
    public static IReadOnlyCollection<string> Names => s_formats.Keys;

    /// <summary>The format of a name; null for an unknown one.</summary>
    public static ReasoningFormat? Find(string name) => s_formats.TryGetValue(name, out ReasoningFormat format) ? format : null;
}
