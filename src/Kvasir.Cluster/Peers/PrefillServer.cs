using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Cluster.Peers;

/// <summary>
/// Computes prompts for decode nodes and sends their blocks while it computes. It listens as soon as it is made.
/// </summary>
public sealed class PrefillServer : IDisposable
{
    readonly InferenceEngine _engine;
    readonly PeerOptions _options;
    readonly TcpListener _listener;
    readonly CancellationTokenSource _over = new();
    readonly ConcurrentDictionary<PeerLink, bool> _links = [];
    long _queued;

    /// <param name="engine">What computes; must outlive the server.</param>
    /// <param name="options">Who this node is, and whom it answers.</param>
    /// <param name="endpoint">Where it listens; port 0 takes a free one.</param>
    /// <exception cref="ArgumentException">Others than this machine reach the address, and nobody would have to show that he may.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public PrefillServer(InferenceEngine engine, PeerOptions options, IPEndPoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        (_engine, _options) = (engine, options);
        if (!IPAddress.IsLoopback(endpoint.Address) && options is { Key: null, Certificate: null })
            throw new ArgumentException($"{endpoint}: reachable from other machines, expected the cluster's key or certificate");
        _listener = new TcpListener(endpoint);
        try
        {
            _listener.Start();
        }
        catch (SocketException e)
        {
            throw new IOException($"{endpoint}: {e.Message}", e);
        }
        _ = Accept();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Endpoint => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>Ends all connections: whoever waits computes himself.</summary>
    public void Dispose()
    {
        _over.Cancel();
        _listener.Dispose();
        foreach (PeerLink link in _links.Keys)
            link.Dispose();
    }

    async Task Accept()
    {
        while (!_over.IsCancellationRequested)
            try
            {
                TcpClient socket = await _listener.AcceptTcpClientAsync(_over.Token).ConfigureAwait(false);
                _ = Task.Run(() => Welcome(socket));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // one that went away before it was there
            }
    }

    async Task Welcome(TcpClient socket)
    {
        string from = $"{socket.Client.RemoteEndPoint}";
        try
        {
            PeerLink link = new(await PeerStream.Accept(socket, _options, _engine.Cache, _over.Token).ConfigureAwait(false), _options.Time);
            Conversation conversation = new(this, link);
            _links[link] = true;
            link.Start(conversation.Handle, () => Volatile.Read(ref _queued));
            link.Over.Register(() => _links.TryRemove(link, out _));
            if (_over.IsCancellationRequested)
                link.Dispose();
        }
        catch (IOException)
        {
            // it went away
        }
        catch (InvalidDataException e)
        {
            _options.Log?.Invoke($"a node from {from} is not answered: {e.Message}");
        }
    }

    /// <summary>What one decode node asks for.</summary>
    sealed class Conversation(PrefillServer server, PeerLink link)
    {
        const int MostPrompts = 1024; // at once; one more is refused

        readonly ConcurrentDictionary<uint, CancellationTokenSource> _serving = [];
        readonly ConcurrentDictionary<BlockKey, uint> _wanted = []; // of prompts that are being served, by their loads

        TieredKvCache Cache => server._engine.Cache;

        int BlockTokens => Cache.Layout.BlockTokens;

        public void Handle(PeerFrame frame, byte[] body)
        {
            switch (frame.Kind)
            {
                case FrameKind.Prompt:
                    Take(frame.Load, PeerPrompt.Read(body, BlockTokens));
                    break;
                case FrameKind.Cancel when _serving.TryGetValue(frame.Load, out CancellationTokenSource? serving):
                    serving.Cancel();
                    break;
                case FrameKind.Cancel:
                    break; // it is over
                default:
                    throw new InvalidDataException($"a {frame.Kind} from a decode node");
            }
        }

        void Take(uint load, PeerPrompt prompt)
        {
            CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(link.Over);
            if (_serving.Count >= MostPrompts || !_serving.TryAdd(load, over))
                link.Send(FrameKind.End, load, "too many prompts at once"u8.ToArray());
            else
            {
                BlockKey[] keys = Keys(prompt);
                foreach (int block in prompt.Wanted) // here, in the order in which they were asked for
                    _wanted[keys[block]] = load;
                Task.Run(() => Serve(load, prompt, keys, over));
            }
        }

        async Task Serve(uint load, PeerPrompt prompt, BlockKey[] keys, CancellationTokenSource over)
        {
            long tokens = prompt.Wanted.Length * (long)BlockTokens;
            Interlocked.Add(ref server._queued, tokens);
            string problem = "";
            try
            {
                await Compute(load, prompt, keys, over.Token).ConfigureAwait(false);
            }
            catch (Exception e) // of whatever kind: a prompt of theirs is no reason to end
            {
                problem = e.Message;
            }
            Interlocked.Add(ref server._queued, -tokens);
            foreach (int block in prompt.Wanted)
                _wanted.TryRemove(new KeyValuePair<BlockKey, uint>(keys[block], load));
            link.Send(FrameKind.End, load, Encoding.UTF8.GetBytes(problem));
            _serving.TryRemove(load, out _);
            over.Dispose();
        }

        async Task Compute(uint load, PeerPrompt prompt, BlockKey[] keys, CancellationToken over)
        {
            Completion completion = server._engine.StartPrefill(prompt.Tokens, prompt.Root, new Asker(link, load, _wanted.ContainsKey), over);
            Outgoing outgoing = new(link, Cache, load, prompt.Wanted, keys);
            await foreach (CompletionPiece piece in completion.Pieces.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                if (piece.Progress is { } progress)
                    outgoing.SendUpTo(progress.Done / BlockTokens, (progress.Done - progress.Reused) / BlockTokens);
            await completion.Result.ConfigureAwait(false);
            outgoing.SendUpTo(keys.Length, 0);
        }

        BlockKey[] Keys(PeerPrompt prompt)
        {
            BlockKey[] keys = new BlockKey[prompt.Tokens.Length / BlockTokens];
            for (int block = 0; block < keys.Length; block++)
                keys[block] = KeyChain.Next(block == 0 ? prompt.Root : keys[block - 1], prompt.Tokens.AsSpan(block * BlockTokens, BlockTokens));
            return keys;
        }
    }

    /// <summary>The wanted blocks of a prompt on their way out, in their order.</summary>
    sealed class Outgoing(PeerLink link, TieredKvCache cache, uint load, int[] wanted, BlockKey[] keys)
    {
        int _next, _computed;

        /// <summary>Sends what lies before a block.</summary>
        /// <param name="end">The block.</param>
        /// <param name="computed">Blocks that were computed for the prompt so far.</param>
        public void SendUpTo(int end, int computed)
        {
            for (; _next < wanted.Length && wanted[_next] < end; _next++)
                if (cache.TryRead(keys[wanted[_next]]) is not { } block)
                    link.Send(FrameKind.Gone, load, [], wanted[_next]); // it had to give way to others
                else
                    link.SendBlock(load, wanted[_next], isComputed: _computed < computed && ++_computed > 0, block);
        }
    }

    /// <summary>What the node that asks has of its prompt: all but what it wants, for this prompt or others.</summary>
    sealed class Asker(PeerLink link, uint load, Func<BlockKey, bool> isWanted) : IPeer
    {
        static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

        public IReadOnlySet<int> Offers(PrefixQuery prompt, IReadOnlyList<int> missing) =>
            missing.Where(block => !isWanted(prompt.Keys[block])).ToHashSet();

        public void Load(PrefixQuery prompt, BlockLoad blocks)
        {
            uint number = link.Expect(blocks, s_patience);
            link.Send(FrameKind.Need, number, Numbers.Of(load, [.. blocks.Blocks.Select(block => (int)block.Place)]));
        }
    }
}
