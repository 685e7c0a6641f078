using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Kvasir.Server.Http;

/// <summary>
/// HTTP/2 without TLS beside HTTP/1.1 on one port. Kestrel wants to know which before a connection comes; clients with prior knowledge say
/// it in their first bytes. Who says HTTP/2 there is handed to a second endpoint, which listens to nothing else.
/// </summary>
/// <param name="idle">How long a connection may say nothing.</param>
/// <param name="patience">How long it may take for its first bytes.</param>
sealed class PriorKnowledge(TimeSpan idle, TimeSpan patience) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    readonly Channel<Handed> _found = Channel.CreateUnbounded<Handed>();

    /// <summary>Where the second endpoint listens.</summary>
    public static EndPoint Place { get; } = new PriorKnowledgePlace();

    static ReadOnlySpan<byte> Preface => "PRI "u8; // no method of HTTP/1.1, so that the rest of the line needs no look

    public bool CanBind(EndPoint endpoint) => endpoint == Place;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(new Listener(_found));

    /// <summary>Lets connections of HTTP/1.1 go on, and hands over the others.</summary>
    public ConnectionDelegate Sort(ConnectionDelegate next) => async connection =>
    {
        if (await IsHttp2(connection) is not { } isHttp2)
            return;
        if (!isHttp2)
        {
            await next(connection);
            return;
        }
        Handed handed = new(connection);
        if (_found.Writer.TryWrite(handed))
            await handed.Over;
    };

    /// <summary>Looks at the first bytes and leaves them where they are; null when the connection ends before they are there.</summary>
    async Task<bool?> IsHttp2(ConnectionContext connection)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed,
            connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default);
        end.CancelAfter(idle);
        PipeReader input = connection.Transport.Input;
        try
        {
            while (true)
            {
                ReadResult read = await input.ReadAsync(end.Token);
                bool? known = Look(read.Buffer);
                input.AdvanceTo(read.Buffer.Start, known is null ? read.Buffer.End : read.Buffer.Start);
                if (known is not null || read.IsCompleted)
                    return known;
                end.CancelAfter(patience);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return null;
        }
    }

    static bool? Look(ReadOnlySequence<byte> bytes)
    {
        Span<byte> first = stackalloc byte[(int)Math.Min(bytes.Length, Preface.Length)];
        bytes.Slice(0, first.Length).CopyTo(first);
        return !Preface.StartsWith(first) ? false : first.Length == Preface.Length ? true : null;
    }

    sealed class PriorKnowledgePlace : EndPoint
    {
        public override string ToString() => "http2-with-prior-knowledge";
    }

    /// <summary>The connections that were handed over, as they come.</summary>
    sealed class Listener(Channel<Handed> found) : IConnectionListener
    {
        public EndPoint EndPoint => Place;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
            await found.Reader.WaitToReadAsync(cancellationToken) && found.Reader.TryRead(out Handed? connection) ? connection : null;

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            found.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }

    /// <summary>A connection that belongs to the endpoint where it came, for as long as the other one uses it.</summary>
    sealed class Handed(ConnectionContext connection) : ConnectionContext
    {
        readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Over => _over.Task;

        public override string ConnectionId { get => connection.ConnectionId; set => connection.ConnectionId = value; }

        public override IFeatureCollection Features { get; } = new FeatureCollection(connection.Features); // each endpoint sets its own

        public override IDictionary<object, object?> Items { get => connection.Items; set => connection.Items = value; }

        public override IDuplexPipe Transport { get => connection.Transport; set => connection.Transport = value; }

        public override CancellationToken ConnectionClosed
        {
            get => connection.ConnectionClosed;
            set => connection.ConnectionClosed = value;
        }

        public override EndPoint? LocalEndPoint { get => connection.LocalEndPoint; set => connection.LocalEndPoint = value; }

        public override EndPoint? RemoteEndPoint { get => connection.RemoteEndPoint; set => connection.RemoteEndPoint = value; }

        public override void Abort(ConnectionAbortedException abortReason) => connection.Abort(abortReason);

        public override ValueTask DisposeAsync()
        {
            _over.TrySetResult();
            return base.DisposeAsync();
        }
    }
}
