using System.Text.Json.Nodes;

namespace Kvasir.Inference.Chat;

/// <summary>
/// How hard a model is to think, in a word that its template may know. <c>none</c> turns thinking off: by the template's own variables, and
/// by a budget of nothing where that does not help.
/// </summary>
/// <param name="Word">Such as <c>low</c>; null when nothing is said.</param>
/// <param name="Thinks">Whether it is to think at all; null when nothing is said.</param>
/// <param name="Tokens">Most tokens of thoughts; null for no bound.</param>
public readonly record struct Effort(string? Word, bool? Thinks = null, int? Tokens = null)
{
    /// <summary>Most tokens of thoughts; null for no bound.</summary>
    public int? Budget => (Thinks ?? Word != "none") ? Tokens : 0;

    /// <summary>The template's variables with those that say it; what a caller has set himself stays.</summary>
    /// <param name="given">Those of the caller; null for none.</param>
    public JsonObject? Variables(JsonObject? given)
    {
        if (Word is null && Thinks is null)
            return given;
        JsonObject variables = given is null ? [] : (JsonObject)given.DeepClone();
        bool thinks = Thinks ?? Word != "none";
        variables.TryAdd("enable_thinking", thinks);
        variables.TryAdd("thinking", thinks); // as Granite's and DeepSeek's templates call it
        if (Word is not null and not "none")
            variables.TryAdd("reasoning_effort", Word);
        return variables;
    }
}
