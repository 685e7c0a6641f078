using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kvasir.Cluster.Events;
using Kvasir.Formats;
using OpenTelemetry;

namespace Kvasir.Cluster.Routing;

/// <summary>
/// Listens to a node for as long as the router runs: as long as it speaks it is there, and what it has is known. When it falls silent, or
/// says something that cannot follow what it said before, it is asked anew.
/// </summary>
sealed class NodeWatch(Node node, NodeList nodes, HttpMessageInvoker http, RouterOptions options, string router)
{
    /// <summary>A header by which routers know each other.</summary>
    public const string RouterHeader = "X-Kvasir-Router";

    static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(300), s_patience = 3 * NodeEvents.LongestSilence;

    const int MostRefusalBytes = 1 << 16;

    long _sequence;

    /// <summary>Listens until the router stops.</summary>
    public async Task Run(CancellationToken stopping)
    {
        using IDisposable unseen = SuppressInstrumentationScope.Begin(); // what goes on all the time is nobody's trace
        while (!stopping.IsCancellationRequested)
        {
            (string? problem, bool isGone) = await Problem(stopping);
            if (problem is not null && !stopping.IsCancellationRequested)
                nodes.Lose(node, problem, isGone);
            await Task.Delay(s_pause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Listens as long as it goes; returns what is wrong with the node, and null when it only has to be asked again.</summary>
    async Task<(string? Text, bool IsGone)> Problem(CancellationToken stopping)
    {
        try
        {
            await Listen(stopping);
            return ("ended the connection", true);
        }
        catch (GapException)
        {
            return default;
        }
        catch (OperationCanceledException)
        {
            return (string.Create(CultureInfo.InvariantCulture, $"says nothing for {s_patience.TotalSeconds:0.0} s"), true);
        }
        catch (Exception e) // whatever a node says or does, it is no worse than a node that is not there
        {
            return (Printable.Line(e.Message, 200), e is HttpRequestException or IOException);
        }
    }

    async Task Listen(CancellationToken stopping)
    {
        using CancellationTokenSource silence = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        silence.CancelAfter(s_patience);
        using HttpRequestMessage request = new(HttpMethod.Get, new Uri(node.Address, NodeEvents.Path)) { Version = HttpVersion.Version11 };
        if (options.NodeKey is { } key)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage response = await http.SendAsync(request, silence.Token);
        await Check(response, silence.Token);
        using Stream stream = await response.Content.ReadAsStreamAsync(silence.Token);
        bool isGreeted = false;
        await foreach (SseItem<string> item in SseParser.Create(stream).EnumerateAsync(silence.Token))
        {
            silence.CancelAfter(s_patience);
            if (isGreeted)
                Take(item);
            else
                isGreeted = Greet(item);
        }
    }

    async Task Check(HttpResponseMessage response, CancellationToken cancellation)
    {
        if (response.Headers.TryGetValues(RouterHeader, out IEnumerable<string>? names))
            throw new InvalidDataException(names.Contains(router)
                ? "is this router itself, expected a node (`kvasir serve`)"
                : "is a router, expected a node (`kvasir serve`)");
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            throw new InvalidDataException($"tells the router nothing ({await Reason(response, cancellation)}), expected --node-key-file "
                + "with a key of the scope metrics");
        if (response.StatusCode != HttpStatusCode.OK || response.Content.Headers.ContentType?.MediaType != "text/event-stream")
            throw new InvalidDataException(
                $"answers {NodeEvents.Path} with {(int)response.StatusCode}, expected a node (`kvasir serve`) of this version");
    }

    /// <summary>Why a node refuses, in its own words where it has some.</summary>
    static async Task<string> Reason(HttpResponseMessage response, CancellationToken cancellation)
    {
        try
        {
            await response.Content.LoadIntoBufferAsync(MostRefusalBytes, cancellation);
            using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
            RouterError? error = await JsonSerializer.DeserializeAsync(stream, RouterJson.Default.RouterError, cancellation);
            return Printable.Line(error?.Error?.Message ?? $"{(int)response.StatusCode}", 100);
        }
        catch (Exception e) when (e is JsonException or HttpRequestException)
        {
            return $"{(int)response.StatusCode}";
        }
    }

    bool Greet(SseItem<string> item)
    {
        if (item.EventType != NodeEvents.Hello || Read(item, NodeEventsJson.Default.NodeHello) is not
            { Node: not null, Incarnation: not null, Model: not null, Fingerprint: not null } hello)
            throw new InvalidDataException($"began with {Printable.Quote(item.EventType)}, expected {NodeEvents.Hello}");
        if (hello.Version != NodeEvents.Version)
            throw new InvalidDataException($"speaks version {hello.Version} of the events, expected {NodeEvents.Version}");
        nodes.Greet(node, hello);
        return true;
    }

    void Take(SseItem<string> item)
    {
        node.Heard();
        switch (item.EventType)
        {
            case NodeEvents.Load:
                node.Report(Read(item, NodeEventsJson.Default.NodeWork));
                break;
            case NodeEvents.Snapshot:
                NodeChange snapshot = Read(item, NodeEventsJson.Default.NodeChange);
                nodes.Prefixes.Clear(node.Number);
                nodes.Prefixes.Add(node.Number, NodeEvents.HashesOf(snapshot.Hashes));
                _sequence = snapshot.Sequence;
                break;
            case NodeEvents.Added:
                nodes.Prefixes.Add(node.Number, Next(item));
                break;
            case NodeEvents.Removed:
                nodes.Prefixes.Remove(node.Number, Next(item));
                break;
        } // others are of a later node, and no change of what is there
    }

    ulong[] Next(SseItem<string> item)
    {
        NodeChange change = Read(item, NodeEventsJson.Default.NodeChange);
        if (change.Sequence != _sequence + 1)
            throw new GapException($"went on with event {change.Sequence} after {_sequence}");
        _sequence = change.Sequence;
        return NodeEvents.HashesOf(change.Hashes);
    }

    static T Read<T>(SseItem<string> item, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(item.Data, type)
        ?? throw new InvalidDataException($"said nothing in {Printable.Quote(item.EventType)}");
}

/// <summary>Something that a node said was not heard, or it forgot it.</summary>
sealed class GapException(string message) : Exception(message);
