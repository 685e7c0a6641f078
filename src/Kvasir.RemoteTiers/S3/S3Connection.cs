using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;

namespace Kvasir.RemoteTiers.S3;

/// <summary>The library's client, as a store of blocks wants it: nothing is tried twice, and bytes are sent as they are.</summary>
sealed class S3Connection(ServerCertificate certificate) : HttpClientFactory
{
    const string DefaultRegion = "us-east-1";
    const int MostConnections = 64;
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <exception cref="IOException">There are no credentials.</exception>
    public AmazonS3Client Open(RemoteTierOptions options)
    {
        RemoteAddress address = options.Address;
        string region = address.Region ?? Environment.GetEnvironmentVariable("AWS_REGION")
            ?? Environment.GetEnvironmentVariable("AWS_DEFAULT_REGION") ?? DefaultRegion;
        AmazonS3Config config = new()
        {
            ForcePathStyle = address.Endpoint is not null, // other stores than AWS have no names of their own for buckets
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED, // every block has its own
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            MaxErrorRetry = 0, // whoever waits could compute meanwhile
            Timeout = Timeout.InfiniteTimeSpan, // every call has its own
            HttpClientFactory = this,
            AuthenticationRegion = region,
        };
        if (address.Endpoint is { } endpoint)
            config.ServiceURL = endpoint.GetLeftPart(UriPartial.Authority);
        else
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        return new AmazonS3Client(S3Credentials.Find(options), config);
    }

    public override HttpClient CreateHttpClient(IClientConfig clientConfig)
    {
        SocketsHttpHandler handler = new()
        {
            MaxConnectionsPerServer = MostConnections, ConnectTimeout = s_patience, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            AllowAutoRedirect = false, UseCookies = false,
        };
        handler.SslOptions.RemoteCertificateValidationCallback = certificate.Accept;
        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }
}
