using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>A server proves who it is by its certificate: the pinned one, or one for which somebody who is named vouches.</summary>
public sealed class RemoteTlsTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _model.Dispose();
    }

    [Fact]
    public void Only_the_right_certificate_is_taken()
    {
        using X509Certificate2 certificate = Certificate("127.0.0.1", DateTimeOffset.UtcNow.AddDays(1));
        using RedisServer server = Server(certificate);
        string address = $"rediss://127.0.0.1:{server.TlsPort}", pin = certificate.GetCertHashString(HashAlgorithmName.SHA256);
        File.WriteAllText(_folder["ca.pem"], certificate.ExportCertificatePem());
        using (RemoteEngine pinned = new RemoteEngine(_model, $"{address}?pin=sha256:{pin}").Filled(Prompt()))
            Assert.Null(pinned.Tier.Problem);
        using (RemoteEngine vouched = new(_model, $"{address}?ca={_folder["ca.pem"]}"))
            Assert.Equal(202, vouched.Cached.Ask(Prompt()).Use.Remote);
        Refuses(address, "nobody whom this system trusts vouches for");
        Refuses($"{address}?pin=sha256:{new string('0', 64)}", $"saw the server's certificate sha256:{pin.ToLowerInvariant()}");
    }

    [Theory]
    [InlineData("127.0.0.1", -1, "the server's certificate holds from")]
    [InlineData("10.1.2.3", 1, "the server's certificate is for another name")]
    public void Others_are_refused_with_a_reason(string name, int days, string why)
    {
        using X509Certificate2 certificate = Certificate(name, DateTimeOffset.UtcNow.AddDays(days));
        using RedisServer server = Server(certificate);
        File.WriteAllText(_folder["ca.pem"], certificate.ExportCertificatePem());
        Refuses($"rediss://127.0.0.1:{server.TlsPort}?ca={_folder["ca.pem"]}", why);
    }

    void Refuses(string address, string why)
    {
        using RemoteEngine engine = new(_model, address);
        Assert.True(SpinWait.SpinUntil(() => engine.Log.Length > 0, TimeSpan.FromSeconds(20)));
        Assert.Contains(why, engine.Log[0], StringComparison.Ordinal);
        Assert.Equal(0, engine.Cached.Ask(Prompt()).Use.Remote);
    }

    RedisServer Server(X509Certificate2 certificate)
    {
        File.WriteAllText(_folder["server.pem"], certificate.ExportCertificatePem());
        File.WriteAllText(_folder["server.key"], certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        return RedisServer.WithTls(_folder["server.pem"], _folder["server.key"]);
    }

    static X509Certificate2 Certificate(string address, DateTimeOffset until)
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new("CN=kvasir-test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(System.Net.IPAddress.Parse(address));
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(until.AddDays(-10), until);
    }
}
