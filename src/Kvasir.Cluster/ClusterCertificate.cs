using System.Security.Cryptography.X509Certificates;

namespace Kvasir.Cluster;

/// <summary>The certificate by which the nodes of a cluster know one another.</summary>
static class ClusterCertificate
{
    /// <summary>Whether a certificate is the cluster's own, or signed by it, and holds today.</summary>
    public static bool IsTrusted(X509Certificate? shown, X509Certificate2 own)
    {
        if (shown is not X509Certificate2 certificate)
            return false;
        if (certificate.RawDataMemory.Span.SequenceEqual(own.RawDataMemory.Span))
            return DateTime.Now < certificate.NotAfter && DateTime.Now > certificate.NotBefore;
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.Add(own);
        return chain.Build(certificate);
    }
}
