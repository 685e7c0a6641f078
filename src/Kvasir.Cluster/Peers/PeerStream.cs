using System.IO.Hashing;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using Kvasir.KvCache;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// A connection to another node, on which both have said who they are and shown that they may: by TLS with the cluster's certificate, or
/// by its secret, or neither on one machine.
/// </summary>
sealed class PeerStream : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    const int MostHello = 4096, Buffer = 1 << 20;

    readonly TcpClient _socket;
    readonly Stream _stream;

    PeerStream(TcpClient socket, Stream stream) => (_socket, _stream) = (socket, stream);

    /// <summary>The other node.</summary>
    public PeerHello Other { get; private set; } = null!;

    /// <summary>How long the other may be silent, or take nothing, before reading and writing fail.</summary>
    public TimeSpan Silence
    {
        set => (_stream.ReadTimeout, _stream.WriteTimeout) = ((int)value.TotalMilliseconds, (int)value.TotalMilliseconds);
    }

    /// <summary>Connects to a node.</summary>
    /// <exception cref="IOException">It cannot be reached, or does not answer in time.</exception>
    /// <exception cref="InvalidDataException">It is no node of the cluster, or of another model; the message says so.</exception>
    public static async Task<PeerStream> Connect(PeerAddress address, PeerOptions options, TieredKvCache cache,
        CancellationToken cancellation)
    {
        TcpClient socket = new();
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(s_patience);
            using CancellationTokenRegistration end = patience.Token.Register(socket.Dispose); // also of who says a byte at a time
            await socket.ConnectAsync(address.Host, address.Port, patience.Token).ConfigureAwait(false);
            PeerStream stream = await Secure(socket, options, isAsker: true, patience.Token).ConfigureAwait(false);
            stream.Ask(options, cache);
            return stream;
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw Told(e);
        }
    }

    /// <summary>Accepts a node that has connected.</summary>
    /// <exception cref="IOException">It goes away, or says nothing in time.</exception>
    /// <exception cref="InvalidDataException">It is no node of the cluster, or of another model; the message says so.</exception>
    public static async Task<PeerStream> Accept(TcpClient socket, PeerOptions options, TieredKvCache cache, CancellationToken cancellation)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(s_patience);
            using CancellationTokenRegistration end = patience.Token.Register(socket.Dispose); // also of who says a byte at a time
            PeerStream stream = await Secure(socket, options, isAsker: false, patience.Token).ConfigureAwait(false);
            await Task.Factory.StartNew(() => stream.Answer(options, cache), patience.Token, TaskCreationOptions.LongRunning,
                TaskScheduler.Default).ConfigureAwait(false);
            return stream;
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw Told(e);
        }
    }

    /// <summary>Reads as many bytes as there is room for.</summary>
    public void ReadExactly(Span<byte> bytes) => _stream.ReadExactly(bytes);

    /// <summary>Writes bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes) => _stream.Write(bytes);

    /// <summary>Reads the body of a frame and checks it.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public byte[] ReadBody(PeerFrame frame)
    {
        byte[] body = new byte[frame.Bytes];
        _stream.ReadExactly(body);
        return XxHash3.HashToUInt64(body) == frame.Checksum ? body : throw new InvalidDataException($"a damaged {frame.Kind}");
    }

    /// <summary>A text that another node says, in one line.</summary>
    public static string TextOf(byte[] body) => Formats.Printable.Line(Encoding.UTF8.GetString(body), 300);

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    static Exception Told(Exception e) => e switch
    {
        InvalidDataException => e,
        AuthenticationException => new InvalidDataException($"TLS: {e.Message}", e),
        OperationCanceledException => new IOException("does not answer", e),
        CryptographicException => new InvalidDataException(e.Message, e),
        _ => new IOException(e.Message, e),
    };

    static async Task<PeerStream> Secure(TcpClient socket, PeerOptions options, bool isAsker, CancellationToken cancellation)
    {
        (socket.NoDelay, socket.SendBufferSize, socket.ReceiveBufferSize) = (true, Buffer, Buffer);
        NetworkStream plain = socket.GetStream();
        if (options.Certificate is not { } certificate)
            return new PeerStream(socket, plain) { Silence = s_patience };
        SslStream secure = new(plain, leaveInnerStreamOpen: false, (_, shown, _, _) => ClusterCertificate.IsTrusted(shown, certificate));
        if (isAsker)
            await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "kvasir", ClientCertificates = [certificate], EnabledSslProtocols = SslProtocols.Tls13,
            }, cancellation).ConfigureAwait(false);
        else
            await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ServerCertificate = certificate, ClientCertificateRequired = true, EnabledSslProtocols = SslProtocols.Tls13,
            }, cancellation).ConfigureAwait(false);
        return new PeerStream(socket, secure) { Silence = s_patience };
    }

    /// <summary>Says who asks, hears who answers, and shows what he asked for.</summary>
    void Ask(PeerOptions options, TieredKvCache cache)
    {
        PeerHello own = PeerHello.Of(options, cache, PeerHello.NewNonce(), default);
        Say(FrameKind.Hello, own.ToBytes());
        PeerHello other = PeerHello.Read(Hear(FrameKind.Hello));
        if (own.WhyNot(other) is { } why)
            throw new InvalidDataException(why);
        if (!Equal(other.Proof, PeerHello.ProofOf(options.Key, isAsker: false, own.Nonce, other.Nonce)))
            throw new InvalidDataException($"node {other.Name} does not know this cluster's secret");
        Say(FrameKind.Proof, PeerHello.ProofOf(options.Key, isAsker: true, own.Nonce, other.Nonce).ToArray());
        Other = other;
    }

    /// <summary>Hears who asks, says who answers, and has him show that he may.</summary>
    void Answer(PeerOptions options, TieredKvCache cache)
    {
        try
        {
            PeerHello other = PeerHello.Read(Hear(FrameKind.Hello));
            Digest nonce = PeerHello.NewNonce();
            PeerHello own = PeerHello.Of(options, cache, nonce, PeerHello.ProofOf(options.Key, isAsker: false, other.Nonce, nonce));
            Say(FrameKind.Hello, own.ToBytes());
            if (own.WhyNot(other) is { } why)
                throw new InvalidDataException(why);
            byte[] proof = Hear(FrameKind.Proof);
            if (proof.Length != Digest.Size
                || !Equal(new Digest(proof), PeerHello.ProofOf(options.Key, isAsker: true, other.Nonce, nonce)))
                throw new InvalidDataException($"node {other.Name} does not know this cluster's secret");
            Other = other;
        }
        catch (InvalidDataException e)
        {
            Say(FrameKind.Refusal, Encoding.UTF8.GetBytes(e.Message));
            throw;
        }
    }

    static bool Equal(Digest one, Digest other) => CryptographicOperations.FixedTimeEquals(one.ToArray(), other.ToArray());

    void Say(FrameKind kind, byte[] body)
    {
        byte[] head = new byte[PeerFrame.HeadBytes];
        PeerFrame.Of(kind, 0, body).WriteTo(head);
        Write(head);
        Write(body);
    }

    byte[] Hear(FrameKind expected)
    {
        byte[] head = new byte[PeerFrame.HeadBytes];
        ReadExactly(head);
        PeerFrame frame = PeerFrame.Read(head, 0);
        if (frame.Bytes > MostHello)
            throw new InvalidDataException("no node of a cluster");
        byte[] body = ReadBody(frame);
        if (frame.Kind == FrameKind.Refusal)
            throw new InvalidDataException($"refuses this node: {TextOf(body)}");
        return frame.Kind == expected ? body : throw new InvalidDataException("no node of a cluster");
    }
}
