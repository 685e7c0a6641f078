using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kvasir.Cluster.Peers;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Lookups;
using Kvasir.Tests.Reuse;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.Cluster;

/// <summary>One node computes prompts, the other decodes: the same bits as one machine, and nothing but a last token twice.</summary>
public sealed class SplitTests : IDisposable
{
    const int Whole = 192; // tokens of the prompt's whole blocks

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    static CancellationToken Over => TestContext.Current.CancellationToken;

    public void Dispose() => _model.Dispose();

    [Fact]
    public void A_prompt_is_computed_there_and_used_here()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        CachedEngine.Answer answer = pair.Decode.Ask(Prompt());
        answer.AssertSameBits(Fresh(_model, Prompt()), "from the prefill node");
        Assert.Equal(Whole, answer.Use.Peer);
        Assert.Equal(Whole, answer.Use.ComputedByPeers);
        Assert.Equal(Prompt().Length - Whole, answer.Computed);
        Assert.Equal(0, answer.Use.Reused);
        Assert.Equal(["p"], answer.Use.Peers);
        Assert.Equal(Whole, pair.Prefill.Serving.ComputedTokens);
        Assert.Equal((Whole, Whole), (pair.State.AskedTokens, pair.State.BroughtTokens));
        Assert.Equal(1, pair.Decode.Ask(Prompt()).Computed); // all of it is here now
        Assert.Equal(Whole, pair.Prefill.Serving.ComputedTokens);
    }

    [Fact]
    public void What_the_other_has_is_not_computed_again()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        pair.Decode.Ask(Prompt());
        pair.Decode.Drop(Prompt(), _ => true);
        CachedEngine.Answer again = pair.Decode.Ask(Prompt());
        again.AssertSameBits(Fresh(_model, Prompt()), "from what the prefill node has");
        Assert.Equal(Whole, again.Use.Peer);
        Assert.Equal(Whole, again.Use.Reused);
        Assert.Equal(Whole + 1, pair.Prefill.Serving.ComputedTokens); // and a last token
    }

    [Fact]
    public void Holes_are_filled_and_nothing_else()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        pair.Decode.Ask(Prompt());
        pair.Prefill.Cache.Evict(pair.Prefill.Cache.Keys(Prompt()));
        pair.Decode.Drop(Prompt(), block => block is 1 or 4 or 5 or 9);
        CachedEngine.Answer answer = pair.Decode.Ask(Prompt());
        answer.AssertSameBits(Fresh(_model, Prompt()), "with holes filled by the prefill node");
        Assert.Equal(4 * 16, answer.Use.Peer);
        Assert.Equal(4 * 16, answer.Use.ComputedByPeers); // the others it asked back for
        Assert.Equal(Whole + 4 * 16, pair.Prefill.Serving.ComputedTokens);
    }

    [Fact]
    public async Task What_was_generated_here_is_sent_there_for_the_next_turn()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        GenerationOptions options = new() { MaxTokens = 80, IgnoresEnds = true };
        GenerationResult first = await pair.Decode.Engine.Start(Prompt(), options, cancellation: Over).Result;
        int[] next = [.. Prompt(), .. first.TokenIds, .. Prompt(kind: 2)];
        GenerationResult second = await pair.Decode.Engine.Start(next, options, cancellation: Over).Result;
        long computed = Whole + second.Kv.ComputedByPeers;
        // the new question, and no token of the answer
        Assert.InRange(second.Kv.ComputedByPeers, Prompt().Length - 16, Prompt().Length + 16);
        Assert.Equal(computed, pair.Prefill.Serving.ComputedTokens);
        using InferenceEngine alone = new(_model, new EngineOptions { Context = 512 });
        Assert.Equal((await alone.Start(next, options, cancellation: Over).Result).TokenIds, second.TokenIds);
    }

    [Fact]
    public async Task Many_at_once_get_what_they_would_get_alone_and_what_they_share_is_computed_once()
    {
        EngineOptions wide = new() { Context = 512, Sequences = 16 };
        using SplitPair pair = new SplitPair(_model, options: wide).Connected();
        int[][] prompts = [.. Enumerable.Range(0, 12).Select(i => (int[])[.. Prompt(length: 160), .. Prompt(kind: 3 + i, length: 100)])];
        GenerationOptions options = new() { MaxTokens = 24, IgnoresEnds = true };
        GenerationResult[] together = await Task.WhenAll(prompts.Select(
            prompt => pair.Decode.Engine.Start(prompt, options, cancellation: Over).Result));
        using InferenceEngine alone = new(_model, wide);
        for (int i = 0; i < prompts.Length; i++)
            Assert.Equal((await alone.Start(prompts[i], options, cancellation: Over).Result).TokenIds,
                together[i].TokenIds);
        Assert.Equal(160 + 12 * 96, pair.Prefill.Serving.ComputedTokens);
    }

    [Fact]
    public void Short_ends_are_computed_here()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        Assert.Equal(0, pair.Decode.Ask(Prompt(length: PrefillNodes.LeastTokens)).Use.Peer);
        Assert.Equal(PrefillNodes.LeastTokens, pair.Decode.Ask(Prompt(kind: 2, length: PrefillNodes.LeastTokens + 1)).Use.Peer);
    }

    [Fact]
    public void Without_the_other_all_is_computed_here_and_it_is_asked_again_when_it_is_back()
    {
        using SplitPair pair = new SplitPair(_model).Connected();
        pair.KillPrefill();
        Assert.True(SpinWait.SpinUntil(() => pair.State.Problem is not null, TimeSpan.FromSeconds(5)));
        CachedEngine.Answer answer = pair.Decode.Ask(Prompt());
        Assert.Equal((0, Prompt().Length), (answer.Use.Peer, answer.Computed));
        Assert.Contains("prompts are computed without it", string.Join('\n', pair.DecodeLog), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_is_cancelled_is_not_computed_for_any_longer()
    {
        EngineOptions slow = new() { Context = 16_384, PrefillChunk = 16, Threads = 1 };
        using SplitPair pair = new SplitPair(_model, options: slow).Connected();
        using CancellationTokenSource cancel = new();
        Completion completion = pair.Decode.Engine.Start(Prompt(length: 16_000), new GenerationOptions { MaxTokens = 1 },
            cancellation: cancel.Token);
        Assert.True(SpinWait.SpinUntil(() => pair.Prefill.Serving.Running > 0, TimeSpan.FromSeconds(10)));
        await cancel.CancelAsync();
        await completion.Result;
        Assert.True(SpinWait.SpinUntil(() => pair.Prefill.Serving.Running == 0, TimeSpan.FromSeconds(20)));
        Assert.InRange(pair.Prefill.Serving.ComputedTokens, 1, 12_000); // of 15,984
    }

    [Fact]
    public void Nodes_speak_under_a_secret()
    {
        byte[] key = RandomNumberGenerator.GetBytes(PeerOptions.KeyBytes);
        using (SplitPair pair = new(_model, prefill: new PeerOptions { Key = key }, decode: new PeerOptions { Key = key }))
            Assert.Equal(Whole, pair.Connected().Decode.Ask(Prompt()).Use.Peer);
        using SplitPair stranger = new(_model, prefill: new PeerOptions { Key = key });
        Assert.Contains("does not know this cluster's secret", SplitPair.Heard(stranger.DecodeLog), StringComparison.Ordinal);
        Assert.Equal(0, stranger.Decode.Ask(Prompt()).Use.Peer);
        using SplitPair liar = new(_model, decode: new PeerOptions { Key = key });
        Assert.Contains("does not know this cluster's secret", SplitPair.Heard(liar.DecodeLog), StringComparison.Ordinal);
    }

    [Fact]
    public void Nodes_speak_under_a_certificate()
    {
        using X509Certificate2 certificate = Certificate(), other = Certificate();
        PeerOptions secure = new() { Certificate = certificate };
        using (SplitPair pair = new SplitPair(_model, prefill: secure, decode: new PeerOptions { Certificate = certificate }).Connected())
        {
            CachedEngine.Answer answer = pair.Decode.Ask(Prompt());
            Assert.Equal(Whole, answer.Use.Peer);
            answer.AssertSameBits(Fresh(_model, Prompt()), "under TLS");
        }
        foreach (PeerOptions strange in (PeerOptions[])[new PeerOptions(), new PeerOptions { Certificate = other }])
        {
            using SplitPair stranger = new(_model, prefill: secure, decode: strange);
            Assert.Contains("prompts are computed without it", SplitPair.Heard(stranger.DecodeLog), StringComparison.Ordinal);
            Assert.Equal(0, stranger.Decode.Ask(Prompt()).Use.Peer);
        }
    }

    [Fact]
    public void A_node_that_others_reach_needs_a_secret()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 64 });
        IPEndPoint everywhere = new(IPAddress.Any, 0);
        ArgumentException e = Assert.Throws<ArgumentException>(() => new PrefillServer(engine, new PeerOptions(), everywhere));
        Assert.Contains("expected the cluster's key or certificate", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_that_names_itself_or_one_of_another_model_is_left_alone()
    {
        PeerOptions self = new();
        using (SplitPair alone = new(_model, prefill: self, decode: self))
            Assert.Contains("is this node itself", SplitPair.Heard(alone.DecodeLog), StringComparison.Ordinal);
        using InferenceEngine other = new(_model, new EngineOptions { Context = 64, BlockTokens = 32 });
        using PrefillServer server = new(other, new PeerOptions(), SplitPair.Loopback);
        using SplitPair pair = new(_model, way: _ => server.Endpoint);
        Assert.Contains("expected", SplitPair.Heard(pair.DecodeLog), StringComparison.Ordinal);
        Assert.Equal(0, pair.Decode.Ask(Prompt()).Use.Peer);
    }

    static X509Certificate2 Certificate()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=kvasir", key, HashAlgorithmName.SHA256);
        using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }
}
