using System.Net.Http.Json;
using System.Text.Json;

namespace Kvasir.Serving;

/// <summary>
/// The texts of one round, the same for every server and unlike those of other rounds, so that nothing of them is cached
/// anywhere before the first chat.
/// </summary>
/// <param name="System">The system prompt that all chats share.</param>
/// <param name="WordsPerToken">Words that make a token, on average.</param>
/// <param name="Measured">Whether a tokenizer counted the system prompt's tokens; otherwise they are guessed.</param>
sealed record Prompts(string System, double WordsPerToken, bool Measured, int Seed, int UserTokens)
{
    const double GuessedWordsPerToken = 0.75;

    /// <summary>Makes the texts of a round, as long in tokens as the server's own <c>/tokenize</c> counts them if it has one.</summary>
    public static async Task<Prompts> MakeAsync(LoadOptions options, int round, HttpClient http, CancellationToken cancellation)
    {
        int seed = unchecked(options.Seed * 1_000_003 + round * 7_919), wanted = options.SystemTokens;
        bool measured = await CountAsync(http, "word", cancellation) is not null;
        int least = 1, most = wanted; // a word is a token or more
        while (measured && least < most)
        {
            int middle = (least + most + 1) / 2;
            if (await CountAsync(http, SystemText(seed, middle), cancellation) is { } tokens && tokens <= wanted)
                least = middle;
            else
                most = middle - 1;
        }
        int words = measured ? least : Math.Max(1, (int)(wanted * GuessedWordsPerToken));
        return new Prompts(SystemText(seed, words), words / (double)wanted, measured, seed, options.UserTokens);
    }

    /// <summary>A question that nobody else asks in this round.</summary>
    public string User(int client, int turn) =>
        Words.Text(new Random(unchecked(Seed + 31 * (client + 1) + 15_485_863 * (turn + 1))),
            Math.Max(1, (int)Math.Round(UserTokens * WordsPerToken)));

    static string SystemText(int seed, int words) => Words.Text(new Random(seed), words);

    /// <summary>The tokens of a text; null if the server does not count.</summary>
    static async Task<int?> CountAsync(HttpClient http, string text, CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await http.PostAsJsonAsync("tokenize", new { content = text }, cancellation);
            if (!response.IsSuccessStatusCode)
                return null;
            using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsStringAsync(cancellation));
            return document.RootElement.GetProperty("tokens").GetArrayLength();
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }
}
