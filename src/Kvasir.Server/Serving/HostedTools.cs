using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>
/// Tools that OpenAI's and Anthropic's servers run themselves. There are none here: the model does not hear of them, and the client hears
/// that it does not. Tools of other kinds that a client would run, and a model here knows nothing of, are refused.
/// </summary>
static class HostedTools
{
    static readonly string[] s_kinds =
    [
        "web_search", "web_fetch", "file_search", "code_interpreter", "code_execution", "image_generation", "computer_use", "mcp", "tool_search",
    ];

    /// <summary>Whether a tool is one that the protocol describes by name and schema; one that a server runs is noted as skipped.</summary>
    /// <param name="tool">The tool.</param>
    /// <param name="kind">What the protocol calls such a tool; one that does not say what it is is one.</param>
    /// <param name="input">Where skipped ones are noted.</param>
    /// <exception cref="RequestException">It is of another kind.</exception>
    public static bool IsToBeRead(Field tool, string kind, ChatInput input)
    {
        string type = tool["type"].Text(64) ?? kind;
        if (type == kind)
            return true;
        if (!Array.Exists(s_kinds, hosted => type.StartsWith(hosted, StringComparison.Ordinal)))
            throw tool["type"].Wrong($"'{kind}'");
        input.Skipped.Add($"{tool.Path}.{type}");
        return false;
    }
}
