using Kvasir.Cli.Stores;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>How Hugging Face's hub is asked, by the variables of its own client.</summary>
/// <param name="Endpoint">Its address.</param>
/// <param name="Token">What says who asks; null for nobody.</param>
/// <param name="IsOffline">Whether nothing may be asked.</param>
/// <param name="UsesLinks">Whether snapshots link to blobs, rather than being them.</param>
/// <param name="Patience">How long no byte may come.</param>
sealed record HubSettings(Uri Endpoint, string? Token = null, bool IsOffline = false, bool UsesLinks = true, TimeSpan? Patience = null)
{
    public static HubSettings Of(Func<string, string?> variable, ModelPlaces places)
    {
        string? Given(string name) => variable(name)?.Trim() is { Length: > 0 } value ? value : null;
        bool IsOn(string name) => Given(name)?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";
        string endpoint = Given("HF_ENDPOINT") ?? "https://huggingface.co";
        string token = Given("HF_TOKEN_PATH") ?? Path.Combine(places.HubHome, "token");
        return new HubSettings(
            Uri.TryCreate(endpoint.TrimEnd('/') + "/", UriKind.Absolute, out Uri? address) && address.Scheme is "https" or "http"
                ? address
                : throw new UsageException($"HF_ENDPOINT: saw {Printable.Quote(endpoint)}, "
                    + "expected an address such as https://huggingface.co"),
            Given("HF_TOKEN") is { } given ? Checked(given, "HF_TOKEN")
                : File.Exists(token) ? Checked(File.ReadAllText(token).Trim(), token) : null,
            IsOn("HF_HUB_OFFLINE") || IsOn("TRANSFORMERS_OFFLINE"),
            !IsOn("HF_HUB_DISABLE_SYMLINKS"));
    }

    /// <summary>A token, as long as it may stand in a header. What it is, no message says.</summary>
    static string? Checked(string token, string from) => token.Length == 0 ? null
        : token.Length <= 1024 && token.All(letter => letter is > ' ' and <= '~')
            ? token
            : throw new UsageException($"{Printable.Line(from, 4096)}: no token, which is a word of letters and digits");
}
