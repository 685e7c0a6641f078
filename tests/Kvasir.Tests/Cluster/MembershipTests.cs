using System.Collections.Concurrent;
using System.Net;
using Kvasir.Cluster;
using Kvasir.Cluster.Membership;
using Kvasir.Cluster.Peers;
using Kvasir.RemoteTiers.Settings;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Cluster;

/// <summary>Members of a cluster find one another, and miss who has gone.</summary>
public sealed class MembershipTests
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);

    readonly ConcurrentQueue<string> _log = [];

    [Fact]
    public void Members_see_who_comes_and_who_goes()
    {
        using RedisServer server = new();
        using ClusterMembership decode = New(server, new Member("d", NodeRole.Decode, new Uri("http://127.0.0.1:8080"), null)).Start();
        Member prefill = new("p", NodeRole.Prefill, new Uri("http://127.0.0.1:8081"), new PeerAddress("127.0.0.1", 8082));
        using (New(server, prefill).Start())
            Assert.True(SpinWait.SpinUntil(() => decode.Members.Contains(prefill), s_patience), string.Join('\n', _log));
        Assert.True(SpinWait.SpinUntil(() => !decode.Members.Contains(prefill), s_patience), string.Join('\n', _log));
        Assert.Equal("d", Assert.Single(decode.Members).Name);
        Assert.Contains("p at http://127.0.0.1:8081 is there (prefill)", _log);
        Assert.Contains("p at http://127.0.0.1:8081 is gone", _log);
    }

    [Fact]
    public void A_store_without_scripts_is_told()
    {
        using RedisServer server = new(null, "--rename-command", "EVAL", "", "--rename-command", "EVALSHA", "");
        using ClusterMembership member = New(server, new Member("d", NodeRole.Both, new Uri("http://127.0.0.1:8080"), null)).Start();
        Assert.True(SpinWait.SpinUntil(() => !_log.IsEmpty, s_patience));
        Assert.Contains("runs no scripts", _log.First(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_that_is_not_there_is_told()
    {
        int port = RedisServer.FreePort();
        Member self = new("d", NodeRole.Both, new Uri("http://127.0.0.1:8080"), null);
        using ClusterMembership member = New($"redis://127.0.0.1:{port}", self).Start();
        Assert.True(SpinWait.SpinUntil(() => !_log.IsEmpty, s_patience));
        Assert.Contains($"127.0.0.1:{port}", _log.First(), StringComparison.Ordinal);
        Assert.Empty(member.Members);
    }

    [Theory]
    [InlineData("decode http://h:1 - d", true)]
    [InlineData("router http://h:1 - r", true)]
    [InlineData("prefill http://h:1 h:2 p", true)]
    [InlineData("prefill http://h:1 h:x p", false)]
    [InlineData("boss http://h:1 - d", false)]
    [InlineData("decode ftp://h:1 - d", false)]
    [InlineData("decode - - d", false)]
    [InlineData("decode http://h:1 -", false)]
    [InlineData("", false)]
    public void What_others_are_registered_under_may_be_anything(string line, bool isMember)
    {
        Assert.Equal(isMember, Member.Read(line) is not null);
        if (isMember)
            Assert.Equal(line, $"{Member.Read(line)}");
    }

    [Fact]
    public void Nobody_else_may_be_a_member()
    {
        Member self = new("d", NodeRole.Both, new Uri("http://127.0.0.1:8080"), null);
        MembershipOptions options = Options("redis://127.0.0.1", self);
        Assert.Contains("expected the cluster's certificate", Assert.Throws<ArgumentException>(
            () => new ClusterMembership(options with { Endpoint = new IPEndPoint(IPAddress.Parse("10.1.2.3"), 0) })).Message,
            StringComparison.Ordinal);
        Assert.Contains("Redis's protocol", Assert.Throws<ArgumentException>(
            () => new ClusterMembership(Options("s3://bucket", self))).Message, StringComparison.Ordinal);
    }

    ClusterMembership New(RedisServer server, Member self) => New($"redis://127.0.0.1:{server.Port}", self);

    ClusterMembership New(string address, Member self) => new(Options(address, self));

    MembershipOptions Options(string address, Member self) => new()
    {
        Store = new RemoteTierOptions { Address = RemoteAddress.Parse(address) }, Self = self,
        Endpoint = new IPEndPoint(IPAddress.Loopback, 0), Log = _log.Enqueue,
    };
}
