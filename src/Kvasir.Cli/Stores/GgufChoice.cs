using System.Text.RegularExpressions;
using Kvasir.Formats.Gguf;

namespace Kvasir.Cli.Stores;

/// <summary>Which of a repository's GGUF files is meant, by the rules of llama.cpp's <c>-hf</c>.</summary>
static partial class GgufChoice
{
    static readonly string[] s_usual = ["Q4_K_M", "Q8_0"];

    /// <summary>What lies beside models and is none: projectors of images, heads that draft, statistics.</summary>
    static readonly string[] s_beside = ["mmproj", "mtp-", "eagle3-", "dflash-", "dspark-", "imatrix"];

    /// <summary>The file of a type, or without one the usual; of a model in several files the first. Null where there is none.</summary>
    public static string? Find(IEnumerable<string> paths, string? type)
    {
        string[] models = [.. Models(paths)];
        string? Of(string tag) => Array.Find(models, path => HasType(path, tag));
        return type is not null ? Of(type) : s_usual.Select(Of).OfType<string>().FirstOrDefault() ?? models.FirstOrDefault();
    }

    /// <summary>All models of GGUF files, in order; of one in several files the first.</summary>
    public static IEnumerable<string> Models(IEnumerable<string> paths) =>
        paths.Where(path => path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && !IsBeside(path)
            && GgufShards.PathsOf(path) is [var first, ..] && first == path).Order(StringComparer.Ordinal);

    /// <summary>What may stand after the repository's name for a file; null where nothing does.</summary>
    public static string? TypeOf(string path, IEnumerable<string> paths) =>
        Type().Match(path) is { Success: true } name && Find(paths, name.Groups["type"].Value) == path ? name.Groups["type"].Value : null;

    static bool IsBeside(string path) =>
        Array.Exists(s_beside, part => Path.GetFileName(path).Contains(part, StringComparison.OrdinalIgnoreCase));

    // F16 is no part of BF16.
    static bool HasType(string path, string type) =>
        Regex.IsMatch(path, $"(?<![A-Za-z0-9]){Regex.Escape(type)}[.-]", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    [GeneratedRegex(@"[-.](?<type>(I?Q[0-9]|T?Q[0-9]|B?F16|F32|MXFP4)\w*)(-[0-9]{5}-of-[0-9]{5})?\.gguf\z", RegexOptions.IgnoreCase)]
    private static partial Regex Type();
}
