using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Kvasir.Cli.Stores;

/// <summary>A model's name at Hugging Face's hub, <c>org/repo</c>, and the type of weights after a colon where one is meant.</summary>
sealed partial record HubName(string Repository, string? Type)
{
    const int MostLetters = 96; // as the hub has it

    public static bool TryParse(string text, [NotNullWhen(true)] out HubName? name)
    {
        name = null;
        if (Form().Match(text) is not { Success: true } match || match.Groups["repo"].Value is var repo && !IsRepository(repo))
            return false;
        name = new HubName(repo, match.Groups["type"] is { Success: true, Value: var type } ? type : null);
        return true;
    }

    static bool IsRepository(string repo) => repo.Length <= MostLetters && !repo.Contains("--", StringComparison.Ordinal)
        && !repo.Contains("..", StringComparison.Ordinal);

    public override string ToString() => Type is null ? Repository : $"{Repository}:{Type}";

    [GeneratedRegex(@"^(?<repo>[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*)(:(?<type>[A-Za-z0-9._-]+))?\z")]
    private static partial Regex Form();
}
