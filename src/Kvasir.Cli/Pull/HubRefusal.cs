using System.Net;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>What it means that the hub, or the host of its files, does not answer with a file, in one sentence.</summary>
static class HubRefusal
{
    /// <param name="response">The answer.</param>
    /// <param name="address">What was asked for, at the hub.</param>
    /// <param name="isHub">Whether the hub itself answered.</param>
    /// <param name="hasToken">Whether it was told who asks.</param>
    public static Exception Of(HttpResponseMessage response, Uri address, bool isHub, bool hasToken)
    {
        string host = response.RequestMessage!.RequestUri!.Host;
        HttpStatusCode status = response.StatusCode;
        if (status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500)
            return new HubTroubleException($"{host}: answers {(int)status} ({status})", RetryAfter(response));
        if (!isHub)
            return status == HttpStatusCode.Forbidden // a signed address that has expired: the hub signs another
                ? new HubTroubleException($"{host}: the signed address is not accepted")
                : new HubException($"{host}: answers {(int)status} ({status})");
        string error = response.Headers.TryGetValues("X-Error-Code", out IEnumerable<string>? values) ? string.Concat(values) : "";
        return new HubException(Sentence(error, status, hasToken, $"{address.GetLeftPart(UriPartial.Authority)}/{Repository(address)}"));
    }

    static string Sentence(string error, HttpStatusCode status, bool hasToken, string page) => (error, status, hasToken) switch
    {
        ("GatedRepo", _, false) => $"{page} is gated: accept its licence there, then set HF_TOKEN to a token of your account",
        ("GatedRepo", _, true) => $"{page} is gated: accept its licence there, with the account that HF_TOKEN is of",
        ("RepoNotFound", _, false) => $"{page}: there is no such model, or it is private, for which HF_TOKEN must be set",
        ("RepoNotFound", _, true) => $"{page}: there is no such model, or HF_TOKEN is of an account that may not see it",
        ("RevisionNotFound", _, _) => $"{page}: there is no such revision",
        ("EntryNotFound", _, _) => $"{page}: a file that was listed is not there",
        (_, HttpStatusCode.Unauthorized, true) => $"{page}: HF_TOKEN is not accepted: it may have expired",
        (_, HttpStatusCode.Unauthorized, false) => $"{page}: asks who you are: set HF_TOKEN",
        (_, HttpStatusCode.Forbidden, _) => $"{page}: may not be read{(hasToken ? " with this HF_TOKEN" : ": set HF_TOKEN")}",
        (_, HttpStatusCode.NotFound, _) => $"{page}: there is no such model",
        _ => $"{page}: answers {(int)status} ({status})",
    };

    /// <summary>The repository in an address of the API or of a file.</summary>
    static string Repository(Uri address)
    {
        string[] parts = address.AbsolutePath.Trim('/').Split('/');
        return Printable.Line(string.Join('/', (parts is ["api", "models", ..] ? parts[2..] : parts).Take(2)), 256);
    }

    static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } wait } => wait,
        { Date: { } date } => date - DateTimeOffset.UtcNow is var wait && wait > TimeSpan.Zero ? wait : TimeSpan.Zero,
        _ => null,
    };
}
