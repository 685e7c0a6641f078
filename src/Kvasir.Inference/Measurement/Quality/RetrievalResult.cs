using System.Globalization;
using System.Text.Json.Serialization;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>How many of so many answers were right.</summary>
public readonly record struct Score(int Right, int Asked)
{
    const double Z95 = 1.959963984540054;

    /// <summary>Share of right answers, 0 to 1; 0 when nothing was asked.</summary>
    public double Share => Asked == 0 ? 0 : (double)Right / Asked;

    /// <summary>
    /// Bounds within which the share lies with 95 % confidence (Wilson, "Probable inference, the law of succession, and
    /// statistical inference", JASA 1927).
    /// </summary>
    public Bounds Interval
    {
        get
        {
            if (Asked == 0)
                return new(0, 1);
            double n = Asked, z2 = Z95 * Z95, middle = (Share + z2 / (2 * n)) / (1 + z2 / n),
                half = Z95 / (1 + z2 / n) * Math.Sqrt(Share * (1 - Share) / n + z2 / (4 * n * n));
            return new(Math.Max(0, middle - half), Math.Min(1, middle + half));
        }
    }

    /// <summary>The score with one answer more.</summary>
    public Score With(bool isRight) => new(Right + (isRight ? 1 : 0), Asked + 1);
}

/// <summary>What a share lies between.</summary>
public readonly record struct Bounds(double Low, double High);

/// <summary>What the size of a document counts.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DocumentUnit>))]
public enum DocumentUnit
{
    /// <summary>Facts that it states.</summary>
    [JsonStringEnumMemberName("facts")]
    Facts,

    /// <summary>Tokens of the whole prompt and the answer.</summary>
    [JsonStringEnumMemberName("tokens")]
    Tokens,
}

/// <summary>How long a document is.</summary>
public readonly record struct DocumentSize(int Count, DocumentUnit Unit = DocumentUnit.Facts)
{
    /// <summary>Such as <c>20 facts</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Count:N0} {(Unit == DocumentUnit.Facts ? "facts" : "tokens")}");
}

/// <summary>What a model found in documents of a size.</summary>
public sealed record RetrievalResult
{
    /// <summary>Parts of a document, the first tenth first.</summary>
    public const int Deciles = 10;

    /// <summary>Size of each document.</summary>
    public required DocumentSize Size { get; init; }

    /// <summary>Tokens of the longest prompt.</summary>
    public required int LongestPrompt { get; init; }

    /// <summary>All answers.</summary>
    public required Score All { get; init; }

    /// <summary>By where in the document the fact stands.</summary>
    public required IReadOnlyList<Score> ByDecile { get; init; }

    /// <summary>By kind of fact.</summary>
    public required IReadOnlyDictionary<string, Score> ByKind { get; init; }

    /// <summary>What was kept of the documents; null for all.</summary>
    public string? Policy { get; init; }

    /// <summary>Answers of each document, for comparisons in pairs.</summary>
    public IReadOnlyList<Score> ByDocument { get; init; } = [];

    /// <summary>
    /// Bytes of the pool for each token that the policy applied to: whole blocks, so all that is wasted counts; of exact ones, where there
    /// is no policy or nothing was to be left out.
    /// </summary>
    public double BytesPerToken { get; init; }

    /// <summary>Which share of the pages rows read; null where they read all that was kept.</summary>
    public double? PagesRead { get; init; }

    /// <summary>By how much the share is above that of exact answers; null where these were not asked for.</summary>
    public ShareDifference? AgainstExact { get; init; }

    /// <summary>Tokens of all prompts.</summary>
    public required long PromptTokens { get; init; }

    /// <summary>Those of them that came from the cache: a document's questions share it.</summary>
    public required long ReusedTokens { get; init; }
}
