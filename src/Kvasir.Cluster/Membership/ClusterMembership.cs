using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Kvasir.RemoteTiers.Redis;
using Kvasir.RemoteTiers.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Connections.Security;
using Orleans.Hosting;
using Orleans.Runtime;
using StackExchange.Redis;

namespace Kvasir.Cluster.Membership;

/// <summary>
/// Who belongs to a cluster and lives, by Orleans' membership: members look after one another, and agree on who is dead through a list in a
/// store. Nothing that goes wrong with it is an exception, and none ends the process: who was declared dead, because he was frozen or cut
/// off, begins anew as another member of the same name, and as long as the list cannot be reached, the last one holds.
/// </summary>
public sealed class ClusterMembership : IDisposable
{
    static readonly TimeSpan s_probe = TimeSpan.FromMilliseconds(500), s_refresh = TimeSpan.FromSeconds(1), s_rest = TimeSpan.FromSeconds(1),
        s_leave = TimeSpan.FromSeconds(1), s_start = TimeSpan.FromSeconds(20), s_forget = TimeSpan.FromMinutes(10);

    const int MissedProbes = 2, Timeout = 2000; // milliseconds

    readonly MembershipOptions _options;
    readonly CancellationTokenSource _over = new();
    readonly Thread _thread;
    string? _told;

    /// <param name="options">Where the others are, and what to tell them.</param>
    /// <exception cref="ArgumentException">Somebody who is no member could be one.</exception>
    public ClusterMembership(MembershipOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _thread = new Thread(() => Belong().GetAwaiter().GetResult()) { IsBackground = true, Name = "kvasir membership" };
    }

    /// <summary>The members that live, this one too.</summary>
    public ImmutableArray<Member> Members { get; private set; } = [];

    /// <summary>Is told whenever others live.</summary>
    public event Action<ImmutableArray<Member>>? Changed;

    /// <summary>Begins to belong to it, in the background.</summary>
    public ClusterMembership Start()
    {
        _thread.Start();
        return this;
    }

    /// <summary>Leaves it.</summary>
    public void Dispose()
    {
        _over.Cancel();
        if (_thread.IsAlive)
            _thread.Join(2 * s_leave);
    }

    async Task Belong()
    {
        while (!_over.IsCancellationRequested)
        {
            try
            {
                await CheckStore().ConfigureAwait(false);
                await BelongOnce().ConfigureAwait(false);
            }
            catch (Exception e) // of whatever kind: whether others are seen is no reason to end
            {
                if (!_over.IsCancellationRequested)
                    Tell($"{_options.Store.Address}: {Formats.Printable.Line(e.Message, 300)}; the members that were there last are taken for those that live");
            }
            await Task.Delay(s_rest, _over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Orleans would wait for ever, without a word, for a store that runs no scripts.</summary>
    async Task CheckStore()
    {
        ConfigurationOptions settings = Settings();
        await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(settings).ConfigureAwait(false);
        try
        {
            await connection.GetDatabase().ScriptEvaluateAsync("return 1").ConfigureAwait(false);
        }
        catch (RedisServerException e)
        {
            throw new IOException($"runs no scripts ({e.Message}), expected Redis, Valkey, or Garnet with --lua", e);
        }
    }

    async Task BelongOnce()
    {
        using CancellationTokenSource dead = CancellationTokenSource.CreateLinkedTokenSource(_over.Token);
        using IHost silo = NewSilo(new DeathHandler(dead));
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(dead.Token);
        patience.CancelAfter(s_start);
        try
        {
            await silo.StartAsync(patience.Token).ConfigureAwait(false);
            Tell($"is a member as {_options.Self.Name}");
            await foreach (ClusterMembershipSnapshot snapshot in silo.Services.GetRequiredService<IClusterMembershipService>()
                .MembershipUpdates.WithCancellation(dead.Token).ConfigureAwait(false))
                Take(snapshot);
        }
        catch (OperationCanceledException) when (dead.IsCancellationRequested)
        {
            if (!_over.IsCancellationRequested)
                Tell("was taken for dead; begins anew");
        }
        finally
        {
            using CancellationTokenSource leave = new(s_leave);
            await silo.StopAsync(leave.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    void Take(ClusterMembershipSnapshot snapshot)
    {
        ImmutableArray<Member> members = [.. snapshot.Members.Values.Where(member => member.Status == SiloStatus.Active)
            .Select(member => Member.Read(member.Name)).OfType<Member>().OrderBy(member => member.Name, StringComparer.Ordinal)
            .DistinctBy(member => member.Address)];
        if (members.SequenceEqual(Members))
            return;
        foreach (Member gone in Members.Except(members))
            _options.Log?.Invoke($"{gone.Name} at {gone.Address.OriginalString} is gone");
        foreach (Member come in members.Except(Members).Where(member => member != _options.Self))
            _options.Log?.Invoke($"{come.Name} at {come.Address.OriginalString} is there ({come.Role?.Name() ?? "router"})");
        Members = members;
        Changed?.Invoke(members);
    }

    IHost NewSilo(DeathHandler handler)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(cluster => (cluster.ServiceId, cluster.ClusterId) = ("kvasir", $"kvasir-{_options.Store.Address.Prefix}"));
            silo.Configure<SiloOptions>(options => options.SiloName = $"{_options.Self}");
            silo.ConfigureEndpoints(_options.Endpoint.Address, _options.Endpoint.Port == 0 ? FreePort() : _options.Endpoint.Port, 0);
            silo.UseRedisClustering(redis => redis.ConfigurationOptions = Settings());
            silo.Configure<ClusterMembershipOptions>(Tune);
            if (_options.Certificate is { } certificate)
                silo.UseTls(certificate, tls => Secure(tls, certificate));
            silo.Services.Replace(ServiceDescriptor.Singleton<IFatalErrorHandler>(handler));
        });
        return builder.Build();
    }

    /// <summary>Who is killed is known to be dead at once, by his connections; who is frozen, within four seconds.</summary>
    static void Tune(ClusterMembershipOptions options)
    {
        (options.ProbeTimeout, options.NumMissedProbesLimit, options.NumVotesForDeathDeclaration) = (s_probe, MissedProbes, 1);
        (options.TableRefreshTimeout, options.IAmAliveTablePublishTimeout) = (s_refresh, 2 * s_refresh);
        (options.DefunctSiloExpiration, options.DefunctSiloCleanupPeriod) = (s_forget, s_forget);
        options.LocalHealthDegradationMonitoringPeriod = s_refresh;
        options.EnableIndirectProbes = false;
    }

    static void Secure(TlsOptions tls, System.Security.Cryptography.X509Certificates.X509Certificate2 certificate)
    {
        tls.RemoteCertificateMode = RemoteCertificateMode.RequireCertificate;
        tls.ClientCertificateMode = RemoteCertificateMode.RequireCertificate;
        tls.RemoteCertificateValidation = (shown, _, _) => ClusterCertificate.IsTrusted(shown, certificate);
        tls.OnAuthenticateAsClient = (_, client) =>
        {
            client.TargetHost = "kvasir";
            client.ClientCertificates = [certificate];
        };
    }

    ConfigurationOptions Settings() =>
        RedisSettings.Of(_options.Store, new ServerCertificate(_options.Store.Address, _options.Store.Time), Timeout);

    int FreePort()
    {
        using Socket socket = new(_options.Endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(_options.Endpoint.Address, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    void Tell(string line)
    {
        if (Interlocked.Exchange(ref _told, line) != line)
            _options.Log?.Invoke(line);
    }

    /// <summary>Hears that the others take this member for dead, or that it cannot go on: it begins anew, and the process goes on.</summary>
    sealed class DeathHandler(CancellationTokenSource dead) : IFatalErrorHandler
    {
        public bool IsUnexpected(Exception exception) => true;

        public void OnFatalException(object? sender, string? context, Exception? exception)
        {
            try
            {
                dead.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // it has begun anew already
            }
        }
    }
}
