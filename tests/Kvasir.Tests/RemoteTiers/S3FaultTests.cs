using System.Diagnostics;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>A bucket that is slow, wrong, closed or not there costs a little time, never an answer.</summary>
public sealed class S3FaultTests : IDisposable
{
    const string Secret = $"{S3Server.Access}:{S3Server.Secret}";
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly S3Server _server = new();

    public void Dispose()
    {
        _server.Dispose();
        _model.Dispose();
    }

    RemoteEngine Engine(string? password = Secret) => new(_model, _server.Address(), password);

    void Fill()
    {
        using RemoteEngine first = Engine().Connected();
        first.Filled(Prompt(), Prompt(2));
    }

    CachedEngine.Answer AssertComputes(RemoteEngine engine, string how, int kind = 1)
    {
        CachedEngine.Answer answer = engine.Cached.Ask(Prompt(kind), leave: false);
        answer.AssertSameBits(Fresh(_model, Prompt(kind)), how);
        return answer;
    }

    string OtherRun(string name) => _server.Names('v').First(other => other != name);

    S3Fault Reading(string how) => how switch
    {
        "wrong bytes" => new S3Fault { Change = bytes => bytes[bytes.Length / 2] ^= 4 },
        "another object's bytes" => new S3Fault { Instead = OtherRun },
        "not there" => new S3Fault { Status = 404, Code = "NoSuchKey" },
        "empty" => new S3Fault { Change = bytes => bytes.AsSpan().Clear() },
        "truncated" => new S3Fault { Truncates = true },
        "reset" => new S3Fault { Resets = true },
        "no bucket" => new S3Fault { Status = 404, Code = "NoSuchBucket" },
        "broken" => new S3Fault { Status = 500, Code = "InternalError" },
        "busy" => new S3Fault { Status = 503, Code = "SlowDown" },
        "forbidden" => new S3Fault { Status = 403, Code = "AccessDenied" },
        _ => new S3Fault { Status = 412, Code = "PreconditionFailed" },
    };

    [Theory]
    [InlineData("wrong bytes", "wrong_payload_checksum")]
    [InlineData("another object's bytes", "wrong")]
    [InlineData("not there", "gone")]
    [InlineData("empty", "wrong_magic")]
    [InlineData("truncated", "io_error")]
    [InlineData("reset", "io_error")]
    [InlineData("no bucket", "io_error")]
    [InlineData("broken", "io_error")]
    [InlineData("busy", "io_error")]
    [InlineData("forbidden", "io_error")]
    [InlineData("refused", "io_error")]
    public void What_goes_wrong_with_a_run_is_a_miss_with_a_reason(string how, string reason)
    {
        Fill();
        using RemoteEngine second = Engine().Connected();
        _server.Fault = request => request.IsOfRun && request.Method == "GET" ? Reading(how) : null;
        CachedEngine.Answer answer = AssertComputes(second, how);
        IEnumerable<Miss> failed = answer.Use.Misses.Where(miss => miss.Reason == MissReason.LoadFailed);
        Assert.Contains(failed, miss => miss.Detail!.StartsWith(reason, StringComparison.Ordinal));
        if (reason == "io_error")
            Assert.StartsWith($"{_server.Address()}: ", Assert.Single(second.Log), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wrong bytes")]
    [InlineData("empty")]
    [InlineData("truncated")]
    [InlineData("reset")]
    [InlineData("broken")]
    [InlineData("busy")]
    [InlineData("forbidden")]
    public void What_goes_wrong_with_a_lookup_finds_nothing(string how)
    {
        Fill();
        using RemoteEngine second = Engine().Connected();
        _server.Fault = request => request.Name.Contains("/1/", StringComparison.Ordinal) && !request.IsOfRun ? Reading(how) : null;
        Assert.Equal(0, AssertComputes(second, how).Use.Remote);
    }

    [Fact]
    public void A_bucket_that_hangs_is_left_alone()
    {
        Fill();
        using RemoteEngine second = Engine().Connected();
        _server.Fault = request => new S3Fault { Hangs = true };
        AssertComputes(second, "hangs");
        Assert.True(SpinWait.SpinUntil(() => second.Tier.Problem is not null, s_patience));
        long start = Stopwatch.GetTimestamp();
        AssertComputes(second, "hangs", kind: 2);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 1.4); // less than a lookup waits for
        _server.Fault = _ => null;
        Assert.True(SpinWait.SpinUntil(() => second.Tier.CanWrite, s_patience));
        second.Cached.Drop(Prompt(2), _ => true);
        Assert.Equal(202, AssertComputes(second, "answers again", kind: 2).Use.Remote);
    }

    [Fact]
    public void A_store_that_is_not_there_is_told_once_and_found_when_it_comes()
    {
        _server.Kill();
        using RemoteEngine engine = Engine();
        AssertComputes(engine, "without a store");
        Assert.True(SpinWait.SpinUntil(() => engine.Log.Length > 0, s_patience));
        AssertComputes(engine, "without a store", kind: 2);
        Assert.StartsWith($"{_server.Address()}: ", Assert.Single(engine.Log), StringComparison.Ordinal);
        _server.Restart();
        Assert.True(SpinWait.SpinUntil(() => engine.Tier.CanWrite, s_patience));
        engine.Filled(Prompt(3));
        Assert.NotEmpty(_server.Names('v'));
    }

    [Fact]
    public void Frames_that_a_store_keeps_are_no_content()
    {
        _server.Fault = request => request.Method == "PUT" ? new S3Fault { Frames = true } : null;
        Fill();
        _server.Fault = _ => null;
        using RemoteEngine second = Engine().Connected();
        Assert.Equal(0, AssertComputes(second, "framed").Use.Remote);
        second.Filled(Prompt());
        using RemoteEngine third = Engine().Connected();
        Assert.Equal(202, AssertComputes(third, "written again").Use.Remote);
    }

    [Theory]
    [InlineData(403, "AccessDenied")]
    [InlineData(507, "InsufficientStorage")]
    public void What_may_not_be_written_is_dropped_and_said_once(int status, string code)
    {
        Fill();
        _server.Fault = request => request.Method == "PUT" ? new S3Fault { Status = status, Code = code } : null;
        using RemoteEngine second = Engine().Connected().Filled(Prompt(3), Prompt(4));
        Assert.Matches($"{status} {code}.*writes are dropped", Assert.Single(second.Log));
        Assert.True(second.Tier.Counted(CounterName.Dropped) > 0);
        Assert.Equal(202, AssertComputes(second, "may be read").Use.Remote);
    }

    [Fact]
    public void Wrong_keys_are_told_with_the_reason_and_never_shown()
    {
        foreach ((string? password, string expected) in new (string?, string)[]
        {
            ("somebody:wrong-password-8", "403 InvalidAccessKeyId"), ("wrong-password-8", "saw no ACCESS:SECRET"),
        })
        {
            using RemoteEngine wrong = Engine(password);
            AssertComputes(wrong, "not let in");
            Assert.True(SpinWait.SpinUntil(() => wrong.Tier.Problem is not null, s_patience));
            Assert.Contains(expected, wrong.Tier.Problem!, StringComparison.Ordinal);
            Assert.DoesNotContain("password-8", string.Join(' ', wrong.Log), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_slow_bucket_gives_what_it_can()
    {
        Fill();
        (_server.Latency, _server.Rate) = (TimeSpan.FromMilliseconds(50), 8 << 20);
        using RemoteEngine second = Engine().Connected();
        Assert.Equal(202, AssertComputes(second, "slow").Use.Remote);
    }
}
