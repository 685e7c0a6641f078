using System.Buffers.Binary;
using System.Collections.Concurrent;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Cluster.Peers;

/// <summary>One prefill node, as a decode node sees it: a connection that is made again whenever it is lost.</summary>
sealed class PrefillNode : IDisposable
{
    static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(250), s_longRest = TimeSpan.FromSeconds(5);

    readonly PeerOptions _options;
    readonly TieredKvCache _cache;
    readonly Action<int> _lost;
    readonly CancellationTokenSource _over = new();
    readonly ConcurrentDictionary<uint, PrefixQuery> _prompts = [];
    PeerLink? _link;
    string? _told, _name, _problem = "not reached yet";
    long _asked; // tokens that are wanted and have not come
    long _askedInAll, _brought;

    /// <param name="number">Its number among the nodes.</param>
    /// <param name="address">Where it answers.</param>
    /// <param name="options">Who this node is.</param>
    /// <param name="cache">The cache that blocks are for.</param>
    /// <param name="lost">Hears its number when it is lost: what it had, it may have no more.</param>
    public PrefillNode(int number, PeerAddress address, PeerOptions options, TieredKvCache cache, Action<int> lost)
    {
        (Number, Address, _options, _cache, _lost) = (number, address, options, cache, lost);
        new Thread(KeepConnected) { IsBackground = true, Name = $"kvasir peer {address}" }.Start();
    }

    /// <summary>Its number among the nodes.</summary>
    public int Number { get; }

    /// <summary>Where it answers.</summary>
    public PeerAddress Address { get; }

    /// <summary>Whether it would compute a prompt now.</summary>
    public bool IsReady => _link is { IsAlive: true };

    /// <summary>What is known of it.</summary>
    public PrefillNodeState State => new($"{Address}", _name, _problem, Volatile.Read(ref _askedInAll), Volatile.Read(ref _brought));

    /// <summary>Tokens of prompts that wait there, or on the way there.</summary>
    public long Queued => Math.Max(Volatile.Read(ref _asked), _link?.QueuedThere ?? 0);

    public void Load(PrefixQuery prompt, BlockLoad load, TimeSpan patience)
    {
        if (_link is not { } link)
        {
            new ExpectedLoad(load, patience, _options.Time).FailRest(ReadOutcome.Gone);
            return;
        }
        int[] wanted = [.. load.Blocks.Select(block => (int)block.Place).Order()];
        int end = (wanted[^1] + 1) * prompt.BlockTokens;
        Interlocked.Add(ref _asked, wanted.Length * prompt.BlockTokens);
        Interlocked.Add(ref _askedInAll, wanted.Length * prompt.BlockTokens);
        uint number = link.Expect(load, patience, () =>
        {
            Interlocked.Add(ref _asked, -wanted.Length * prompt.BlockTokens);
            Interlocked.Add(ref _brought, load.Blocks.Count(block => block.Outcome == ReadOutcome.Ok) * prompt.BlockTokens);
        });
        foreach (uint over in _prompts.Keys)
            if (link.Expected(over) is null)
                _prompts.TryRemove(over, out _);
        _prompts[number] = prompt;
        link.Send(FrameKind.Prompt, number, new PeerPrompt(prompt.Root, prompt.Tokens[..end].ToArray(), wanted).ToBytes());
    }

    public void Dispose()
    {
        _over.Cancel();
        _link?.Dispose();
    }

    void KeepConnected()
    {
        while (!_over.IsCancellationRequested)
        {
            TimeSpan rest = s_rest;
            try
            {
                PeerStream stream = PeerStream.Connect(Address, _options, _cache, _over.Token).GetAwaiter().GetResult();
                using PeerLink link = new(stream, _options.Time);
                link.Start((frame, body) => Handle(link, frame, body), () => 0);
                (_link, _name, _problem) = (link, link.Other.Name, null);
                Tell($"prompts are computed by {link.Other.Name} at {Address}");
                WaitHandle.WaitAny([link.Over.WaitHandle, _over.Token.WaitHandle]);
                link.Dispose(); // it may be we who end
                (_link, _problem) = (null, link.Failure);
                _lost(Number);
            }
            catch (IOException e)
            {
                _problem = e.Message;
            }
            catch (InvalidDataException e)
            {
                (_problem, rest) = (e.Message, s_longRest); // it will hardly become another node
            }
            if (_over.IsCancellationRequested)
                return;
            Tell($"{Address}: {_problem}; prompts are computed without it");
            _over.Token.WaitHandle.WaitOne(rest);
        }
    }

    void Tell(string line)
    {
        if (line == _told)
            return;
        _told = line;
        _options.Log?.Invoke(line);
    }

    void Handle(PeerLink link, PeerFrame frame, byte[] body)
    {
        switch (frame.Kind)
        {
            case FrameKind.End:
                link.Expected(frame.Load)?.FailRest(ReadOutcome.Gone);
                if (body.Length > 0)
                    Tell($"{link.Other.Name} at {Address}: {PeerStream.TextOf(body)}; the prompt is computed here");
                break;
            case FrameKind.Need when body.Length >= sizeof(int):
                Task.Factory.StartNew(() => Give(link, frame.Load, body), CancellationToken.None, TaskCreationOptions.LongRunning,
                    TaskScheduler.Default);
                break;
            default:
                throw new InvalidDataException($"a {frame.Kind} from a prefill node");
        }
    }

    /// <summary>Sends what it has of a prompt's blocks, which the other would compute again.</summary>
    void Give(PeerLink link, uint load, byte[] body)
    {
        _prompts.TryGetValue(BinaryPrimitives.ReadUInt32LittleEndian(body), out PrefixQuery? prompt);
        foreach (int index in Numbers.Read(body.AsSpan(sizeof(int))))
            if (prompt is not null && index >= 0 && index < prompt.Blocks && _cache.TryRead(prompt.Keys[index]) is { } block)
                link.SendBlock(load, index, isComputed: false, block);
            else
                link.Send(FrameKind.Gone, load, [], index);
    }
}
