using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;
using StackExchange.Redis;

namespace Kvasir.RemoteTiers.Redis;

/// <summary>How the client library reaches the servers of an address.</summary>
static class RedisSettings
{
    /// <summary>Milliseconds that a connection and what is large may take.</summary>
    public const int LargeTimeout = 5000;

    /// <param name="options">The address, and with which secrets.</param>
    /// <param name="certificate">Whether a server is the one that is meant.</param>
    /// <param name="timeout">Milliseconds that an answer may take.</param>
    public static ConfigurationOptions Of(RemoteTierOptions options, ServerCertificate certificate, int timeout)
    {
        RemoteAddress address = options.Address;
        ConfigurationOptions configuration = new()
        {
            User = address.User, Password = options.PasswordInUse, DefaultDatabase = address.Database, Ssl = address.UsesTls,
            SslHost = address.UsesTls && address.Hosts.Count == 1 ? address.Hosts[0].Host : null,
            AbortOnConnectFail = true, // it says why then; after the first time the library connects again by itself
            ConnectRetry = 1, ConnectTimeout = LargeTimeout, AsyncTimeout = timeout, SyncTimeout = timeout,
            BacklogPolicy = BacklogPolicy.FailFast, ClientName = "kvasir", TieBreaker = "", ConfigurationChannel = "",
            IncludeDetailInExceptions = false,
            AllowAdmin = true, // INFO counts as such; what a user may not, the server says
        };
        if (address.UsesTls)
            configuration.CertificateValidation += certificate.Accept;
        foreach ((string host, int port) in address.Hosts)
            configuration.EndPoints.Add(host, port);
        return configuration;
    }
}
