using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Kvasir.Server;

/// <summary>
/// Stands in for a server whose model is still being loaded: all that is asked is answered by a 503, as llama-server does it, so that a
/// probe sees that somebody is there, and a port that is taken is known before the model is read.
/// </summary>
public sealed class LoadingServer : IDisposable
{
    readonly KestrelServer _kestrel;

    LoadingServer(ServerOptions options)
    {
        KestrelServerOptions kestrel = new() { AddServerHeader = false };
        kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        _kestrel = new KestrelServer(Options.Create(kestrel),
            new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
    }

    /// <summary>Begins to answer.</summary>
    /// <param name="options">Where the server is going to listen.</param>
    /// <exception cref="ArgumentException">As of <see cref="KvasirServer"/>.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static LoadingServer Start(ServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        LoadingServer server = new(options);
        try
        {
            server._kestrel.StartAsync(new Application(), CancellationToken.None).GetAwaiter().GetResult();
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Where it answers.</summary>
    public string Address => _kestrel.Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Gives up the port.</summary>
    public void Dispose()
    {
        using CancellationTokenSource impatient = new();
        impatient.Cancel(); // nobody waits for what it has to say
        _kestrel.StopAsync(impatient.Token).GetAwaiter().GetResult();
        _kestrel.Dispose();
    }

    sealed class Application : IHttpApplication<IFeatureCollection>
    {
        static readonly byte[] s_body =
            """{"error":{"message":"Loading model","type":"unavailable_error","param":null,"code":"loading"}}"""u8.ToArray();

        public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public async Task ProcessRequestAsync(IFeatureCollection context)
        {
            IHttpResponseFeature response = context.GetRequiredFeature<IHttpResponseFeature>();
            response.StatusCode = (int)HttpStatusCode.ServiceUnavailable;
            (response.Headers.ContentType, response.Headers.RetryAfter, response.Headers.Connection) = ("application/json", "1", "close");
            await context.GetRequiredFeature<IHttpResponseBodyFeature>().Stream.WriteAsync(s_body);
        }

        public void DisposeContext(IFeatureCollection context, Exception? exception)
        {
        }
    }
}
