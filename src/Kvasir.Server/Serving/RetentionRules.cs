using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Retention;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>Which retention policies answer requests: the one of those that name none, and those that they may name.</summary>
/// <param name="usual">Of requests that name none; null for exact answers.</param>
/// <param name="allowed">What requests may name besides; null for anything.</param>
sealed class RetentionRules(RetentionPolicy? usual, IReadOnlyList<RetentionPolicy>? allowed)
{
    const string WhoSays = "the server's --kv-retain-allow says which policies requests may name";
    const int MostCharacters = 200;

    static readonly string s_version = $" v{RetentionPolicy.Version}"; // behind policies as answers name them

    readonly HashSet<string>? _allowed = allowed is null ? null : [.. allowed.Append(usual).OfType<RetentionPolicy>().Select(Text)];

    /// <summary>How a request is answered; null for exactly.</summary>
    /// <param name="body">What it says.</param>
    /// <param name="question">How many tokens of the prompt come before the question; null for one that is all question.</param>
    public RetentionOptions? Read(Field body, Func<int?> question) => Policy(body["kv_retention"]) is not { } policy ? null
        : new RetentionOptions(policy) { Prefix = policy.IsAware ? null : question() };

    /// <summary>The one field of which null is not as good as absent: it asks for an exact answer, whatever is usual.</summary>
    RetentionPolicy? Policy(Field field)
    {
        if (field.IsAbsent)
            return field.IsNull ? null : usual;
        RetentionPolicy? policy = Parse(field);
        return policy is null || _allowed is null || _allowed.Contains(Text(policy)) ? policy
            : throw field.Wrong($"{string.Join(" or ", Choices())}; {WhoSays}");
    }

    IEnumerable<string> Choices() => ["null", "'none'", .. _allowed!.Order(StringComparer.Ordinal).Select(text => $"'{text}'")];

    static RetentionPolicy? Parse(Field field)
    {
        string text = field.Text(MostCharacters)!;
        try
        {
            return RetentionPolicy.Parse(text.EndsWith(s_version, StringComparison.Ordinal) ? text[..^s_version.Length] : text);
        }
        catch (ArgumentException e)
        {
            throw new RequestException(400, $"{field.Path}: {e.Message}; {WhoSays}", field.Path);
        }
    }

    /// <summary>A policy as requests may write it, always in the same way.</summary>
    static string Text(RetentionPolicy policy) => policy.ToString()[..^s_version.Length];
}
