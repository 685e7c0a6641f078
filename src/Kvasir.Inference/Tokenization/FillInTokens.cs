namespace Kvasir.Inference.Tokenization;

/// <summary>The tokens that frame a gap in a text, of a model that was trained to fill it in.</summary>
/// <param name="Prefix">Stands before what comes before the gap.</param>
/// <param name="Suffix">Stands before what comes after the gap.</param>
/// <param name="Middle">Stands where the model begins to fill in.</param>
/// <param name="Repository">Stands before the name of a repository of files; null where the model knows none.</param>
/// <param name="File">Stands before the name of a file; null where the model knows none.</param>
public sealed record FillInTokens(int Prefix, int Suffix, int Middle, int? Repository, int? File)
{
    /// <summary>How families spell them, where their files name no ids: as llama.cpp finds them.</summary>
    static readonly string[][] s_spellings =
    [
        ["<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>"],
        ["<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>"],
        ["<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>"],
        ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
        ["<|file_sep|>"],
    ];

    /// <summary>Those of a vocabulary; null where it has no three that frame a gap.</summary>
    internal static FillInTokens? Of(Vocabulary vocabulary, TokenTable table)
    {
        int?[] found = [.. s_spellings.Select((spellings, i) => vocabulary.FillIn[i] ?? Spelt(spellings))];
        return found is [{ } prefix, { } suffix, { } middle, var repository, var file]
            ? new FillInTokens(prefix, suffix, middle, repository, file)
            : null;

        int? Spelt(string[] spellings) => spellings
            .Select(spelling => table.TryFind(spelling, out int token) ? token : (int?)null)
            .FirstOrDefault(token => token is not null);
    }

    /// <summary>The tokens of a text with a gap: what comes before it, what comes after, and where the model begins.</summary>
    /// <param name="tokenizer">The vocabulary's.</param>
    /// <param name="before">The text before the gap.</param>
    /// <param name="after">The text after it.</param>
    /// <param name="files">Other files to look at, by name, if the model knows files; else they stand before the text as they are.</param>
    /// <param name="begun">How the gap begins.</param>
    public int[] Prompt(
        Tokenizer tokenizer, string before, string after, IReadOnlyList<(string Name, string Text)> files, string begun = "")
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(files);
        List<int> tokens = [.. tokenizer.Opening];
        if (files.Count > 0)
            tokens.AddRange(Others(tokenizer, files));
        return [.. tokens, Prefix, .. tokenizer.Encode(before), Suffix, .. tokenizer.Encode(after), Middle, .. tokenizer.Encode(begun)];
    }

    /// <summary>Hui et al., "Qwen2.5-Coder Technical Report", 2024, https://arxiv.org/abs/2409.12186, has the form.</summary>
    IEnumerable<int> Others(Tokenizer tokenizer, IReadOnlyList<(string Name, string Text)> files)
    {
        IEnumerable<int> head = Repository is { } repository ? [repository, .. tokenizer.Encode("repository\n")] : [];
        IEnumerable<int> texts = files.SelectMany(file => File is { } mark
            ? [mark, .. tokenizer.Encode($"{file.Name}\n"), .. tokenizer.Encode(file.Text)]
            : tokenizer.Encode($"{file.Text}\n"));
        return [.. head, .. texts, .. File is { } last ? [last, .. tokenizer.Encode("file\n")] : Array.Empty<int>()];
    }
}
