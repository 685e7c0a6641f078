using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Kvasir.Cluster.Routing;

/// <summary>
/// Passes requests on: all of them as they are, each to the node that the policy chooses, and to another when that does not begin to
/// answer.
/// </summary>
sealed class Forwarding(NodeList nodes, IHttpForwarder forwarder, HttpMessageInvoker http, int mostBodyBytes)
{
    /// <summary>In a request the node that has to take it, in an answer the one that gave it.</summary>
    public const string NodeHeader = "X-Kvasir-Node";

    const string SessionHeader = "X-Session-Id";
    const long BodyBytes = 256 << 20; // of all requests together

    static readonly ActivitySource s_source = new(KvasirRouter.SourceName);
    static readonly ForwarderRequestConfig s_config = new()
    {
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        ActivityTimeout = TimeSpan.FromDays(1), // whether a node is there its events say
    };

    readonly BodyMemory _memory = new(BodyBytes);

    /// <summary>Passes a request on, and its answer back.</summary>
    public async Task Handle(HttpContext context)
    {
        using Activity? span = s_source.StartActivity("route", ActivityKind.Internal);
        try
        {
            int? most = context.Request.Path == "/v1/kv/import" ? null : mostBodyBytes; // an archive may be as long as it likes
            using BufferedBody body = await BufferedBody.Receive(context.Request, most, _memory, context.RequestAborted);
            if (body.IsTooLong)
                await RouterErrors.Write(context, 413, "invalid_body", "the body is larger than this server takes");
            else
                await Handle(context, body, span);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested || e is BadHttpRequestException or IOException)
        {
            if (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
                await RouterErrors.Write(context, 400, "invalid_body", "the body did not come as it should");
        }
    }

    async Task Handle(HttpContext context, BufferedBody body, Activity? span)
    {
        PromptChain prompt = PromptChain.Of(context.Request.Path, PromptChain.KeyOf(context.Request),
            context.Request.Headers[SessionHeader], body.Bytes);
        if (context.Request.Headers[NodeHeader] is [{ Length: > 0 } name])
        {
            await HandleAt(nodes.Find(name), context, body, prompt, span);
            return;
        }
        HashSet<Node> tried = [];
        for (Node? node = nodes.MakerOf(prompt.Previous) ?? nodes.Choose(prompt, tried); node is not null;
            node = nodes.Choose(prompt, tried))
        {
            tried.Add(node);
            if (await Try(node, context, body, prompt, span, isLast: !nodes.IsOneLeft(tried)))
                return;
            if (!body.CanBeSent)
                break;
        }
        await RouterErrors.Write(context, 503, "no_node", tried.Count == 0
            ? "no node is there that could answer: try again soon"
            : $"{tried.Count} of {nodes.All.Count} nodes were asked, and none has begun to answer: try again soon");
    }

    async Task HandleAt(Node? node, HttpContext context, BufferedBody body, PromptChain prompt, Activity? span)
    {
        if (node is null)
            await RouterErrors.Write(context, 400, "no_such_node",
                $"{NodeHeader}: there is no such node, expected one of {string.Join(", ", nodes.All.Select(known => known.Name))}");
        else if (!node.IsAlive || !await Try(node, context, body, prompt, span, isLast: true))
            await RouterErrors.Write(context, 503, "no_node", $"{NodeHeader}: {node.Name} is not there; without the header others answer");
    }

    /// <summary>Lets a node answer. False when nothing has been answered, and another can be asked.</summary>
    async Task<bool> Try(Node node, HttpContext context, BufferedBody body, PromptChain prompt, Activity? span, bool isLast)
    {
        int known = nodes.Prefixes.Known(node.Number, prompt.Hashes);
        nodes.Prefixes.Add(node.Number, prompt.Hashes); // so that the next of a burst follows this one
        node.Counts.Routed(known);
        span?.SetTag("kvasir.node", node.Name)?.SetTag("kvasir.known_pieces", known);
        using Attempt attempt = node.Begin(Math.Max(0, prompt.Tokens - (long)(known * PromptChain.PieceTokens)), context.RequestAborted);
        context.Request.Body = body.Open();
        ForwarderError error = await forwarder.SendAsync(context, node.Address.GetLeftPart(UriPartial.Authority), http, s_config,
            new Passing(node, attempt, isLast), attempt.Cancellation);
        if (context.RequestAborted.IsCancellationRequested || error == ForwarderError.None && !attempt.WasRefused)
            return true;
        if (context.Response.HasStarted)
        {
            node.Counts.Failed(); // the stream is cut, and the client sees that it is
            return true;
        }
        if (!attempt.WasRefused)
            node.Fail();
        if (!isLast)
            node.Counts.Retried();
        context.Response.Clear();
        return false;
    }

    /// <summary>Passes everything on as it is, and says who answered. What a node will not take now another may.</summary>
    sealed class Passing(Node node, Attempt attempt, bool isLast) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest,
            string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            proxyRequest.Headers.Host = httpContext.Request.Host.Value; // by which the node tells whether a page of somewhere else asks
            proxyRequest.Headers.Remove(NodeHeader);
        }

        public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse,
            CancellationToken cancellationToken)
        {
            if (!isLast && proxyResponse is { StatusCode: HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable })
            {
                attempt.WasRefused = true;
                return false;
            }
            bool passes = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
            if (proxyResponse is not null)
            {
                attempt.HasStarted = true;
                httpContext.Response.Headers[NodeHeader] = node.Name;
            }
            return passes;
        }
    }
}
