using Kvasir.Formats;

namespace Kvasir.Inference.Tokenization;

/// <summary>What a pair becomes, and how early: the lower the rank the earlier.</summary>
readonly record struct Merge(int Rank, int Token);

/// <summary>Reads <c>tokenizer.ggml.merges</c>.</summary>
static class Merges
{
    const string Field = "merges";

    /// <summary>
    /// One number for a pair. The factor keeps pairs apart (it is odd) and spreads them: a long hashes to its halves xored, which is 0 for
    /// every token followed by itself and made a megabyte of spaces take 8 s instead of 0.6 s with llama 3's merges.
    /// </summary>
    public static long Key(int left, int right) => (((long)left << 32) | (uint)right) * unchecked((long)0x9E37_79B9_7F4A_7C15);

    public static Dictionary<long, Merge> Read(Vocabulary vocabulary, TokenTable table)
    {
        var merges = new Dictionary<long, Merge>(vocabulary.Merges.Length);
        char[] joined = new char[64];
        for (int rank = 0; rank < vocabulary.Merges.Length; rank++)
        {
            string merge = vocabulary.Merges[rank];
            // The left part is never empty, and may itself begin with a space in vocabularies that are not byte-level.
            int space = merge.Length > 1 ? merge.IndexOf(' ', 1) : -1;
            if (space < 0 || space == merge.Length - 1) throw Invalid(vocabulary, rank, "two tokens with a space between them");
            if (joined.Length < merge.Length) joined = new char[merge.Length * 2];
            merge.AsSpan(0, space).CopyTo(joined);
            merge.AsSpan(space + 1).CopyTo(joined.AsSpan(space));
            int left = Find(merge.AsSpan(0, space), rank);
            int right = Find(merge.AsSpan(space + 1), rank);
            int token = Find(joined.AsSpan(0, merge.Length - 1), rank);
            // A pair that is listed again keeps its first, better rank. What user text may not become is never joined.
            if (table.IsWritable(token)) merges.TryAdd(Key(left, right), new Merge(rank, token));
        }
        return merges;

        int Find(ReadOnlySpan<char> text, int rank) => table.TryFind(text, out int token)
            ? token
            : throw Invalid(vocabulary, rank, $"'{Printable.Line(text.ToString())}' to be in the vocabulary");
    }

    static ModelFormatException Invalid(Vocabulary vocabulary, int rank, string expected) =>
        vocabulary.Invalid(Field, $"{Printable.Quote(vocabulary.Merges[rank])} at index {rank}", expected);
}

/// <summary>Joins the pairs that are listed.</summary>
readonly struct MergedPairs(Dictionary<long, Merge> merges) : IPairs
{
    public bool TryJoin(in Symbol left, in Symbol right, out int rank, out int token)
    {
        bool found = merges.TryGetValue(Merges.Key(left.Token, right.Token), out Merge merge);
        (rank, token) = (merge.Rank, merge.Token);
        return found;
    }
}
