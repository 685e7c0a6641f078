using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Kvasir.Cluster.Peers;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.Tests.Reuse;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.Cluster;

/// <summary>Prefill nodes that die, freeze, lie, or promise and never deliver: a hole, never another bit, and no long wait.</summary>
public sealed class SplitFaultTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.95)]
    public void One_that_dies_in_the_middle_costs_a_hole(double share)
    {
        using BadWay way = new();
        using SplitPair pair = new SplitPair(_model, way.To).Connected();
        way.DieAfter((long)(share * 12 * pair.Decode.Cache.Layout.BlockBytes));
        CachedEngine.Answer answer = pair.Decode.Ask(Prompt());
        answer.AssertSameBits(Fresh(_model, Prompt()), $"after {share:P0}");
        Assert.InRange(answer.Use.Peer, 0, 191);
        Assert.Equal(Prompt().Length, answer.Computed + answer.Use.Peer);
        Assert.Contains(answer.Use.Misses, miss => miss is { Reason: MissReason.LoadFailed, Tier: Tier.Peer });
    }

    [Fact]
    public void Damaged_blocks_are_holes()
    {
        Random random = new(5);
        for (int round = 0; round < 4; round++)
        {
            using BadWay way = new();
            using SplitPair pair = new SplitPair(_model, way.To).Connected();
            way.Flip((long)(random.NextDouble() * 12 * pair.Decode.Cache.Layout.BlockBytes));
            CachedEngine.Answer answer = pair.Decode.Ask(Prompt(kind: round));
            answer.AssertSameBits(Fresh(_model, Prompt(kind: round)), $"round {round}");
            Assert.Equal(Prompt().Length, answer.Computed + answer.Use.Peer);
        }
    }

    [Fact]
    public void One_that_freezes_is_dead_after_two_seconds()
    {
        using BadWay way = new();
        using SplitPair pair = new SplitPair(_model, way.To).Connected();
        way.Freeze();
        long start = Stopwatch.GetTimestamp();
        CachedEngine.Answer answer = pair.Decode.Ask(Prompt());
        answer.AssertSameBits(Fresh(_model, Prompt()), "frozen");
        Assert.Equal(0, answer.Use.Peer);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 10);
        Assert.True(SpinWait.SpinUntil(() => pair.State.Problem?.Contains("no sign of life", StringComparison.Ordinal) == true,
            TimeSpan.FromSeconds(5)), pair.State.Problem);
    }

    [Fact]
    public async Task One_that_promises_and_never_delivers_is_not_waited_for()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 64 });
        using TcpListener listener = new(SplitPair.Loopback);
        listener.Start();
        using SplitPair pair = new(_model, way: _ => (IPEndPoint)listener.LocalEndpoint, learns: true);
        pair.Decode.Engine.WarmUp(); // it knows what computing takes
        using PeerLink promises = new(await PeerStream.Accept(await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken),
            new PeerOptions { Name = "idle" }, engine.Cache, TestContext.Current.CancellationToken), TimeProvider.System);
        promises.Start((_, _) => { }, () => 0);
        pair.Connected();
        long start = Stopwatch.GetTimestamp();
        CachedEngine.Answer answer = await Task.Run(() => pair.Decode.Ask(Prompt()), TestContext.Current.CancellationToken);
        answer.AssertSameBits(Fresh(_model, Prompt()), "promised");
        Assert.Equal(0, answer.Use.Peer);
        Assert.Contains(answer.Use.Misses, miss => miss is { Reason: MissReason.LoadFailed, Detail: "late" });
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 1, 15);
    }

    [Fact]
    public void An_engine_that_ends_while_blocks_come_has_nobody_write_into_its_memory()
    {
        EngineOptions slow = new() { Context = 4096, PrefillChunk = 16, Threads = 1 };
        using InferenceEngine prefill = new(_model, slow);
        using PrefillServer server = new(prefill, new PeerOptions(), SplitPair.Loopback);
        using PrefillNodes nodes = new(new PeerOptions(), [new PeerAddress("127.0.0.1", server.Endpoint.Port)]);
        InferenceEngine decode = new(_model, nodes.Serve(slow));
        Assert.True(SpinWait.SpinUntil(() => nodes.States[0].Problem is null, TimeSpan.FromSeconds(20)));
        decode.Start(Prompt(length: 4000), new GenerationOptions { MaxTokens = 1 }, cancellation: TestContext.Current.CancellationToken);
        Assert.True(SpinWait.SpinUntil(() => prefill.Serving.ComputedTokens > 100, TimeSpan.FromSeconds(20)));
        decode.Dispose();
        Assert.True(SpinWait.SpinUntil(() => nodes.States[0].Problem is not null, TimeSpan.FromSeconds(5)));
        Assert.True(SpinWait.SpinUntil(() => prefill.Serving.Running == 0, TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task What_nobody_understands_ends_a_connection_and_nothing_else()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        IPEndPoint endpoint = IPEndPoint.Parse(pair.State.Address);
        Random random = new(7);
        for (int round = 0; round < 80; round++)
        {
            using TcpClient socket = new();
            await socket.ConnectAsync(endpoint, TestContext.Current.CancellationToken);
            byte[] noise = new byte[random.Next(1, 400)];
            random.NextBytes(noise);
            if (round % 2 == 0) // what begins well
                PeerFrame.Of((FrameKind)random.Next(1, 11), 1, noise.AsSpan(0, noise.Length / 2))
                    .WriteTo(noise.Length < PeerFrame.HeadBytes ? noise = new byte[PeerFrame.HeadBytes] : noise);
            await socket.GetStream().WriteAsync(noise, TestContext.Current.CancellationToken);
        }
        pair.Decode.Ask(Prompt()).AssertSameBits(Fresh(_model, Prompt()), "after noise");
    }

    [Fact]
    public async Task Frames_of_a_node_that_has_gone_mad_end_its_connection_and_nothing_else()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        IPEndPoint endpoint = IPEndPoint.Parse(pair.State.Address);
        using InferenceEngine mad = new(_model, new EngineOptions { Context = 64 });
        Random random = new(9);
        for (int round = 0; round < 25; round++)
        {
            using PeerLink link = new(await PeerStream.Connect(new PeerAddress($"{endpoint.Address}", endpoint.Port),
                new PeerOptions { Name = "mad" }, mad.Cache, TestContext.Current.CancellationToken), TimeProvider.System);
            link.Start((_, _) => { }, () => 0);
            for (int frame = 0; frame < 5; frame++)
                link.Send((FrameKind)random.Next(1, 11), (uint)random.Next(3), Body(random), random.Next(20));
            if (round % 10 == 0)
                await Task.Delay(50, TestContext.Current.CancellationToken);
        }
        pair.Decode.Ask(Prompt()).AssertSameBits(Fresh(_model, Prompt()), "after madness");
        Assert.True(SpinWait.SpinUntil(() => pair.Prefill.Serving.Running == 0, TimeSpan.FromSeconds(20)));
        pair.Prefill.Cache.Device.CheckConservation();
    }

    /// <summary>Nothing, noise, or a prompt with numbers that may be anything.</summary>
    static byte[] Body(Random random)
    {
        byte[] noise = new byte[random.Next(0, 200)];
        random.NextBytes(noise);
        int[] tokens = [.. Enumerable.Range(0, 32).Select(_ => random.Next(-5, 2000))];
        return random.Next(3) == 0 ? noise : new PeerPrompt(default, tokens, [random.Next(-1, 3), 1]).ToBytes();
    }
}

/// <summary>A connection between nodes that goes wrong when it is told to.</summary>
sealed class BadWay : IDisposable
{
    readonly TcpListener _listener = new(SplitPair.Loopback);
    readonly CancellationTokenSource _over = new();
    long _dieAfter = long.MaxValue, _flipAt = -1;
    volatile bool _frozen;

    public IPEndPoint To(IPEndPoint target)
    {
        _listener.Start();
        _ = Serve(target);
        return (IPEndPoint)_listener.LocalEndpoint;
    }

    /// <summary>From now on, so many bytes come back, and then nothing more.</summary>
    public void DieAfter(long bytes) => Volatile.Write(ref _dieAfter, bytes);

    /// <summary>One bit of what comes back is another, so many bytes from now.</summary>
    public void Flip(long after) => Volatile.Write(ref _flipAt, after);

    public void Freeze() => _frozen = true;

    public void Dispose()
    {
        _over.Cancel();
        _listener.Dispose();
    }

    async Task Serve(IPEndPoint target)
    {
        while (!_over.IsCancellationRequested)
        {
            TcpClient near = await _listener.AcceptTcpClientAsync(_over.Token), far = new();
            if (Volatile.Read(ref _dieAfter) <= 0)
            {
                near.Dispose();
                continue;
            }
            await far.ConnectAsync(target, _over.Token);
            _ = Copy(near, far, isBack: false);
            _ = Copy(far, near, isBack: true);
        }
    }

    async Task Copy(TcpClient from, TcpClient to, bool isBack)
    {
        try
        {
            byte[] buffer = new byte[8192];
            while (await from.GetStream().ReadAsync(buffer, _over.Token) is > 0 and var read)
            {
                while (_frozen)
                    await Task.Delay(20, _over.Token);
                if (isBack && Volatile.Read(ref _flipAt) is >= 0 and var at)
                {
                    if (at < read)
                        buffer[at] ^= 0x10;
                    Volatile.Write(ref _flipAt, at < read ? -1 : at - read);
                }
                if (isBack && _dieAfter != long.MaxValue && Interlocked.Add(ref _dieAfter, -read) <= 0)
                    break;
                await to.GetStream().WriteAsync(buffer.AsMemory(0, read), _over.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException
            or InvalidOperationException)
        {
            // over
        }
        from.Dispose();
        to.Dispose();
    }
}
