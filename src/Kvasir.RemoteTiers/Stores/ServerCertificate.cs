using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.RemoteTiers.Stores;

/// <summary>Whether a server is the one that is meant: its certificate is the pinned one, or somebody who may vouches for it.</summary>
sealed class ServerCertificate(RemoteAddress address, TimeProvider time)
{
    /// <summary>Why the last certificate was refused; null when it was not.</summary>
    public string? Refused { get; private set; }

    public bool Accept(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        Refused = certificate is X509Certificate2 shown ? WhyNot(shown, errors) : "the server shows no certificate";
        return Refused is null;
    }

    string? WhyNot(X509Certificate2 shown, SslPolicyErrors errors)
    {
        DateTime now = time.GetUtcNow().UtcDateTime;
        if (now > shown.NotAfter.ToUniversalTime() || now < shown.NotBefore.ToUniversalTime())
            return $"the server's certificate holds from {shown.NotBefore.ToUniversalTime():u} to {shown.NotAfter.ToUniversalTime():u}, and it "
                + $"is {now:u}";
        if (address.PinnedCertificate is { } pin)
            return shown.GetCertHashString(HashAlgorithmName.SHA256) is var seen && seen == pin ? null
                : $"saw the server's certificate sha256:{seen.ToLowerInvariant()}, expected the pinned one";
        if ((errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0)
            return $"the server's certificate is for another name: {shown.Subject}";
        if (address.AuthorityFile is { } file)
            return IsVouchedFor(shown, file) ? null : $"nobody in {file} vouches for the server's certificate";
        return errors == SslPolicyErrors.None ? null
            : "nobody whom this system trusts vouches for the server's certificate: ca=FILE names who does, pin=sha256:… the certificate";
    }

    static bool IsVouchedFor(X509Certificate2 shown, string file)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(file);
        return chain.Build(shown);
    }
}
