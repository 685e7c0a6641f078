using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Hashing;
using System.Net.Sockets;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// A connection of two nodes that know each other. Each has a thread that receives, straight into the pool what is a block, and one that
/// sends, so that nobody who has something to say waits for the network. A node that gives no sign of life for two seconds is dead: what it
/// was to bring fails at once.
/// </summary>
sealed unsafe class PeerLink : IDisposable
{
    /// <summary>How long a node may be silent.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);

    static readonly TimeSpan s_pulse = TimeSpan.FromMilliseconds(500);

    const int MostOut = 4096; // frames that wait to be sent: who has more to say waits

    readonly record struct OutFrame(PeerFrame Head, byte[] Body, TierLease? Block);

    readonly PeerStream _stream;
    readonly long _blockBytes;
    readonly TimeProvider _time;
    readonly BlockingCollection<OutFrame> _out = new(MostOut);
    readonly ConcurrentDictionary<uint, ExpectedLoad> _expected = [];
    readonly CancellationTokenSource _over = new();
    readonly List<Thread> _threads = [];
    readonly byte[] _sink = new byte[1 << 16]; // of blocks that nobody expects
    Action<PeerFrame, byte[]>? _handle;
    Func<long>? _queued;
    string? _failure;
    int _loads;

    /// <param name="stream">The connection, on which both have said who they are.</param>
    /// <param name="time">The clock.</param>
    public PeerLink(PeerStream stream, TimeProvider time)
    {
        (_stream, _time, _blockBytes) = (stream, time, stream.Other.BlockBytes);
        stream.Silence = Silence;
    }

    /// <summary>The other node.</summary>
    public PeerHello Other => _stream.Other;

    /// <summary>Whether the other node lives, as far as is known.</summary>
    public bool IsAlive => !_over.IsCancellationRequested;

    /// <summary>Cancelled when the connection is over.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Why it is over.</summary>
    public string? Failure => _failure;

    /// <summary>Tokens of prompts that wait at the other node, as it said last.</summary>
    public long QueuedThere { get; private set; }

    /// <summary>Begins to receive and to send.</summary>
    /// <param name="handle">Is told of each frame that is no block, with its body, on the receiving thread.</param>
    /// <param name="queued">Tokens of prompts that wait here.</param>
    public void Start(Action<PeerFrame, byte[]> handle, Func<long> queued)
    {
        (_handle, _queued) = (handle, queued);
        lock (_threads)
        {
            if (!IsAlive) // it was closed before it began
                return;
            Begin(Receive, "receives");
            Begin(Send, "sends");
            Begin(Watch, "watches");
        }

        void Begin(Action work, string name)
        {
            Thread thread = new(() => Run(work)) { IsBackground = true, Name = $"kvasir peer {name}" };
            _threads.Add(thread);
            thread.Start();
        }
    }

    /// <summary>Expects blocks; returns the number under which they come.</summary>
    /// <param name="load">The blocks.</param>
    /// <param name="patience">How long nothing may come.</param>
    /// <param name="over">Is called when the last one is reported.</param>
    public uint Expect(BlockLoad load, TimeSpan patience, Action? over = null)
    {
        load.Origin = Other.Name;
        ExpectedLoad expected = new(load, patience, _time, over);
        uint number = (uint)Interlocked.Increment(ref _loads);
        _expected[number] = expected;
        if (!IsAlive) // perhaps since before it was there to be told
            FailAll();
        return number;
    }

    /// <summary>What is expected under a number; null when that is over.</summary>
    public ExpectedLoad? Expected(uint number) => _expected.GetValueOrDefault(number);

    /// <summary>Says something. Returns at once, unless very much waits to be sent.</summary>
    public void Send(FrameKind kind, uint load, byte[] body, int index = 0) =>
        Enqueue(new OutFrame(PeerFrame.Of(kind, load, body, index), body, null));

    /// <summary>Sends a block, and gives the right to read it back then. Returns at once, unless very much waits to be sent.</summary>
    public void SendBlock(uint load, int index, bool isComputed, TierLease block) =>
        Enqueue(new OutFrame(new PeerFrame(FrameKind.Block, load, index, isComputed, (int)_blockBytes, 0), [], block));

    /// <summary>Ends the connection; what was to come fails. Nothing reads or writes the pool's memory afterwards.</summary>
    public void Dispose()
    {
        End("closed");
        Thread[] threads;
        lock (_threads)
            threads = [.. _threads];
        foreach (Thread thread in threads)
            if (thread != Thread.CurrentThread)
                thread.Join(Silence);
    }

    void Enqueue(OutFrame frame)
    {
        try
        {
            _out.Add(frame, _over.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or InvalidOperationException)
        {
            frame.Block?.Dispose();
        }
    }

    void Run(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) // of whatever kind: on these threads it would end the process
        {
            End(e switch
            {
                EndOfStreamException => "has gone",
                IOException { InnerException: SocketException { SocketErrorCode: SocketError.TimedOut or SocketError.WouldBlock } } =>
                    $"gave no sign of life for {Silence.TotalSeconds:0.#} s",
                _ => e.Message,
            });
        }
    }

    void End(string why)
    {
        if (Interlocked.CompareExchange(ref _failure, why, null) is not null)
            return;
        _over.Cancel();
        _out.CompleteAdding();
        _stream.Dispose();
        FailAll();
        while (_out.TryTake(out OutFrame frame))
            frame.Block?.Dispose();
    }

    void FailAll()
    {
        foreach (ExpectedLoad expected in _expected.Values)
            expected.FailRest(ReadOutcome.IoError);
        _expected.Clear();
    }

    void Receive()
    {
        byte[] head = new byte[PeerFrame.HeadBytes];
        while (true)
        {
            _stream.ReadExactly(head);
            PeerFrame frame = PeerFrame.Read(head, _blockBytes);
            if (frame.Kind == FrameKind.Block)
                ReceiveBlock(frame);
            else
                Handle(frame, _stream.ReadBody(frame));
        }
    }

    void Handle(PeerFrame frame, byte[] body)
    {
        switch (frame.Kind)
        {
            case FrameKind.Pulse when body.Length == sizeof(long):
                QueuedThere = BinaryPrimitives.ReadInt64LittleEndian(body);
                break;
            case FrameKind.Gone:
                Expected(frame.Load)?.Fail(frame.Index, ReadOutcome.Gone);
                break;
            case FrameKind.Refusal:
                throw new InvalidDataException(PeerStream.TextOf(body));
            default:
                _handle!(frame, body);
                break;
        }
    }

    void ReceiveBlock(PeerFrame frame)
    {
        ExpectedLoad? expected = Expected(frame.Load);
        if (expected?.Take(frame.Index) is not { } block)
        {
            for (long left = _blockBytes; left > 0; left -= Math.Min(left, _sink.Length))
                _stream.ReadExactly(_sink.AsSpan(0, (int)Math.Min(left, _sink.Length)));
            return;
        }
        ReadOutcome outcome = ReadOutcome.IoError;
        try
        {
            Span<byte> payload = new(block.Destination, (int)_blockBytes);
            _stream.ReadExactly(payload);
            outcome = PeerFrame.ChecksumOf(block.Key, payload) == frame.Checksum ? ReadOutcome.Ok : ReadOutcome.WrongPayloadChecksum;
        }
        finally
        {
            expected.End(block, outcome, frame.IsComputed);
        }
        if (expected.IsOver)
            _expected.TryRemove(frame.Load, out _);
    }

    void Send()
    {
        byte[] head = new byte[PeerFrame.HeadBytes];
        foreach (OutFrame frame in _out.GetConsumingEnumerable(_over.Token))
            using (frame.Block)
            {
                ReadOnlySpan<byte> body = frame.Block is { } block ? new ReadOnlySpan<byte>(block.Address, (int)_blockBytes) : frame.Body;
                (frame.Block is { } lease
                    ? PeerFrame.OfBlock(frame.Head.Load, frame.Head.Index, frame.Head.IsComputed, lease.Key, body)
                    : frame.Head).WriteTo(head);
                _stream.Write(head);
                _stream.Write(body);
            }
    }

    /// <summary>Gives signs of life, and up what does not come or is not wanted any more.</summary>
    void Watch()
    {
        while (IsAlive)
        {
            byte[] pulse = new byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(pulse, _queued!());
            Send(FrameKind.Pulse, 0, pulse);
            foreach ((uint number, ExpectedLoad expected) in _expected)
                if (expected.IsOver)
                    _expected.TryRemove(number, out _);
                else if (expected.IsLate || !expected.IsWanted)
                {
                    expected.FailRest(ReadOutcome.Late);
                    Send(FrameKind.Cancel, number, []);
                }
            _over.Token.WaitHandle.WaitOne(s_pulse);
        }
    }
}
