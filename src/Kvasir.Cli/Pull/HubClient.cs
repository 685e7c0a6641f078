using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>
/// Asks the hub. Redirects are followed here, because the token is for the hub alone: files come from hosts that get a signed address and
/// must not see who asks.
/// </summary>
/// <param name="settings">Whom to ask, and as whom.</param>
/// <param name="pause">Waits, and may say so and why.</param>
sealed class HubClient(HubSettings settings, Func<TimeSpan, string, CancellationToken, Task> pause) : IDisposable
{
    const int MostTries = 5, MostRedirects = 10, MostBytesOfJson = 64 << 20;

    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30), s_longestWait = TimeSpan.FromMinutes(5);

    readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(10),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    TimeSpan Patience => settings.Patience ?? s_patience;

    /// <summary>An address at the hub.</summary>
    public Uri Address(string path) => new(settings.Endpoint, path);

    public void Dispose() => _http.Dispose();

    /// <summary>Reads a JSON document, and the address of the page after it.</summary>
    public Task<(JsonDocument Json, Uri? Next)> ReadJson(Uri address, CancellationToken cancellation) => Persist(async () =>
    {
        using HttpResponseMessage response = await Send(address, 0, cancellation).ConfigureAwait(false);
        using MemoryStream bytes = new();
        await Copy(response, bytes, MostBytesOfJson, cancellation).ConfigureAwait(false);
        bytes.Position = 0;
        try
        {
            return (JsonDocument.Parse(bytes), NextPage(response, address));
        }
        catch (JsonException e)
        {
            throw new HubException($"{address.Host}: no valid JSON: {Printable.Line(e.Message, 512)}", e);
        }
    }, null, cancellation);

    /// <summary>Tries again what may pass. Whoever gets further each time may go on.</summary>
    /// <param name="attempt">What is tried.</param>
    /// <param name="progress">How far it is; null for what is done at once.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task<T> Persist<T>(Func<Task<T>> attempt, Func<long>? progress, CancellationToken cancellation)
    {
        long furthest = progress?.Invoke() ?? 0;
        for (int tries = 1; ; tries++)
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (HubTroubleException e)
            {
                if (progress?.Invoke() is { } now && now > furthest)
                    (furthest, tries) = (now, 1);
                if (tries == MostTries)
                    throw new HubException($"{e.Message}; tried {MostTries} times", e);
                TimeSpan wait = e.RetryAfter ?? TimeSpan.FromSeconds(1 << (tries - 1));
                if (wait > s_longestWait)
                    throw new HubException($"{e.Message}; it wants to be asked again in {wait.TotalMinutes:0} minutes", e);
                await pause(wait, e.Message, cancellation).ConfigureAwait(false);
            }
    }

    /// <summary>Asks once, and follows to wherever the answer is.</summary>
    /// <param name="address">An address at the hub.</param>
    /// <param name="from">The first byte that is wanted.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>An answer of status 200, 206 or 416.</returns>
    public async Task<HttpResponseMessage> Send(Uri address, long from, CancellationToken cancellation)
    {
        Uri at = address;
        for (int redirects = 0; redirects <= MostRedirects; redirects++)
        {
            HttpResponseMessage response = await SendTo(at, from, cancellation).ConfigureAwait(false);
            if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent or HttpStatusCode.RequestedRangeNotSatisfiable)
                return response;
            using (response)
                at = response.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                        or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect
                    ? Follow(at, response)
                    : throw HubRefusal.Of(response, address, IsHub(at), settings.Token is not null);
        }
        throw new HubException($"{address.Host}: more than {MostRedirects} redirects");
    }

    /// <summary>Copies a body, as much as may come.</summary>
    /// <exception cref="HubTroubleException">It breaks off, or nothing comes for long.</exception>
    public async Task Copy(HttpResponseMessage response, Stream to, long most, CancellationToken cancellation, Action? copied = null)
    {
        Uri at = response.RequestMessage!.RequestUri!;
        Stream body = await Network(() => response.Content.ReadAsStreamAsync(cancellation), at, cancellation).ConfigureAwait(false);
        byte[] buffer = new byte[1 << 18];
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        while (true)
        {
            patience.CancelAfter(Patience);
            int read = await Network(() => body.ReadAsync(buffer, patience.Token).AsTask(), at, cancellation).ConfigureAwait(false);
            if (read == 0)
                return;
            if ((most -= read) < 0)
                throw new HubException($"{at.Host}: more bytes than there should be");
            await to.WriteAsync(buffer.AsMemory(0, read), cancellation).ConfigureAwait(false);
            copied?.Invoke();
        }
    }

    async Task<HttpResponseMessage> SendTo(Uri at, long from, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, at);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("kvasir", null));
        if (settings.Token is { } token && IsHub(at))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (from > 0)
            request.Headers.Range = new RangeHeaderValue(from, null);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Patience);
        return await Network(() => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token), at, cancellation)
            .ConfigureAwait(false);
    }

    /// <summary>Does what needs the network, whose failures may pass; those of a disk do not.</summary>
    static async Task<T> Network<T>(Func<Task<T>> work, Uri at, CancellationToken cancellation)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            throw new HubException($"{at.Host}: no secure connection: {Printable.Line((e.InnerException ?? e).Message, 512)}", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new HubTroubleException($"{at.Host}: {Printable.Line(e.Message, 512)}", null, e);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new HubTroubleException($"{at.Host}: nothing comes", null, e);
        }
    }

    Uri Follow(Uri from, HttpResponseMessage response)
    {
        Uri next = new(from, response.Headers.Location ?? throw new HubException($"{from.Host}: a redirect to nowhere"));
        return next.Scheme == "https" || next.Scheme == settings.Endpoint.Scheme
            ? next
            : throw new HubException($"{from.Host}: a redirect to {Printable.Quote(next.Scheme)}, expected https");
    }

    bool IsHub(Uri at) =>
        Uri.Compare(at, settings.Endpoint, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>What the header Link names as next.</summary>
    Uri? NextPage(HttpResponseMessage response, Uri address)
    {
        string? link = response.Headers.TryGetValues("Link", out IEnumerable<string>? links)
            ? links.SelectMany(each => each.Split(',')).FirstOrDefault(each => each.Contains("rel=\"next\"", StringComparison.Ordinal))
            : null;
        if (link is null)
            return null;
        int start = link.IndexOf('<', StringComparison.Ordinal), end = link.IndexOf('>', StringComparison.Ordinal);
        return start >= 0 && end > start && Uri.TryCreate(address, link[(start + 1)..end], out Uri? next) && IsHub(next)
            ? next
            : throw new HubException($"{address.Host}: a next page at {Printable.Quote(link)}, expected one of its own");
    }
}
