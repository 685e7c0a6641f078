using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>What stands before all paths of a server that shares its name with others.</summary>
static class PathPrefix
{
    /// <summary>Refuses what is none: empty, or a slash with a name behind it, as often as one likes.</summary>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public static void Validate(string prefix)
    {
        string[] names = prefix.Split('/');
        if (prefix.Length > 0 && (names.Length < 2 || names[0].Length > 0 || names.Skip(1).Any(name => !IsName(name))))
            throw new ArgumentException($"path prefix {Formats.Printable.Quote(prefix)}: such as /llm is expected");
    }

    static bool IsName(string name) =>
        name.Any(char.IsAsciiLetterOrDigit) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');

    /// <summary>Takes it from the path of a request. True when that has been answered already: a page lies below a directory.</summary>
    /// <exception cref="RequestException">The path has another beginning.</exception>
    public static bool Take(HttpContext context, string prefix)
    {
        HttpRequest request = context.Request;
        if (prefix.Length == 0)
            return false;
        if (!request.Path.StartsWithSegments(prefix, StringComparison.Ordinal, out PathString rest))
            throw new RequestException(404, $"{Formats.Printable.Line(request.Path, 100)}: nothing is there; paths begin with {prefix}",
                code: "unknown_path");
        if (!rest.HasValue)
            context.Response.Redirect($"{prefix}/", permanent: true, preserveMethod: true);
        (request.PathBase, request.Path) = (prefix, rest);
        return !rest.HasValue;
    }
}
