using System.Text;

namespace Kvasir.Serving;

/// <summary>A server to measure: a command that starts it, or the address of one that runs already.</summary>
/// <param name="Name">What the table calls it.</param>
/// <param name="Command">Program and arguments, with <c>{port}</c> and <c>{dir}</c> still in them; empty for one that runs already.</param>
/// <param name="Address">Where it listens; null for one to start.</param>
sealed record ServerSpec(string Name, IReadOnlyList<string> Command, Uri? Address)
{
    /// <summary>Reads <c>NAME=COMMAND</c> or <c>NAME=http://HOST:PORT</c>.</summary>
    /// <exception cref="ServingException">It is neither, or two have the same name.</exception>
    public static IReadOnlyList<ServerSpec> ParseAll(IReadOnlyList<string> texts)
    {
        ServerSpec[] all = [.. texts.Select(Parse)];
        return all.CountBy(spec => spec.Name).FirstOrDefault(pair => pair.Value > 1) is { Key: { } twice }
            ? throw new ServingException($"--server {twice}: named twice; expected a name for each")
            : all;
    }

    static ServerSpec Parse(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || text.AsSpan(0, equals).ContainsAny(" /:"))
            throw new ServingException($"--server {text}: expected NAME=COMMAND or NAME=http://HOST:PORT");
        (string name, string value) = (text[..equals], text[(equals + 1)..].Trim());
        if (Uri.TryCreate(value, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https")
            return new ServerSpec(name, [], new Uri(address, "/"));
        return value.Contains("{port}", StringComparison.Ordinal)
            ? new ServerSpec(name, Words(name, value), null)
            : throw new ServingException(
                $"--server {name}: the command has no {{port}}, which stands for the port that the server shall listen at");
    }

    /// <summary>The program and arguments that start it at a port, with a folder of its own.</summary>
    public IReadOnlyList<string> CommandAt(int port, string folder) =>
        [.. Command.Select(
            word => word.Replace("{port}", $"{port}", StringComparison.Ordinal).Replace("{dir}", folder, StringComparison.Ordinal))];

    /// <summary>Splits at white space; quotes of both kinds hold words together and a backslash is an ordinary character.</summary>
    static List<string> Words(string name, string command)
    {
        List<string> words = [];
        StringBuilder word = new();
        bool begun = false;
        char quote = '\0';
        foreach (char c in command)
        {
            if (quote == '\0' && char.IsWhiteSpace(c))
            {
                if (begun)
                    words.Add(word.ToString());
                word.Clear();
                begun = false;
                continue;
            }
            begun = true;
            if (quote == '\0' && c is '\'' or '"')
                quote = c;
            else if (c == quote)
                quote = '\0';
            else
                word.Append(c);
        }
        if (begun)
            words.Add(word.ToString());
        return quote == '\0' ? words : throw new ServingException($"--server {name}: a {quote} is never closed");
    }
}
