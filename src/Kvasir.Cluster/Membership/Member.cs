using Kvasir.Cluster.Peers;

namespace Kvasir.Cluster.Membership;

/// <summary>What a process of a cluster tells the others of itself.</summary>
/// <param name="Name">What it is called: ASCII without spaces.</param>
/// <param name="Role">What it does for the others; null of a router.</param>
/// <param name="Address">Where it answers requests.</param>
/// <param name="Peer">Where it computes prompts for others; null where it does not.</param>
public sealed record Member(string Name, NodeRole? Role, Uri Address, PeerAddress? Peer)
{
    const string Router = "router", Nowhere = "-";

    /// <summary>As one line, which members are registered under.</summary>
    public override string ToString() => string.Join(' ', Role?.Name() ?? Router, Address.OriginalString, Peer?.ToString() ?? Nowhere, Name);

    /// <summary>Reads such a line, which may be anything; null when it is none.</summary>
    internal static Member? Read(string? line)
    {
        string[] parts = (line ?? "").Split(' ');
        if (parts.Length != 4 || parts[3].Length is 0 or > 100 || !Uri.TryCreate(parts[1], UriKind.Absolute, out Uri? address)
            || address.Scheme is not ("http" or "https"))
            return null;
        NodeRole? role = Enum.GetValues<NodeRole>().Cast<NodeRole?>().FirstOrDefault(one => one!.Value.Name() == parts[0]);
        if (role is null && parts[0] != Router)
            return null;
        try
        {
            return new Member(parts[3], role, address, parts[2] == Nowhere ? null : PeerAddress.Parse(parts[2]));
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
