namespace Kvasir.Cluster;

/// <summary>What a node does for the others.</summary>
public enum NodeRole
{
    /// <summary>It computes its prompts itself, and those of others who ask.</summary>
    Both,

    /// <summary>It computes prompts for others. A router sends it no requests as long as there are others.</summary>
    Prefill,

    /// <summary>It answers requests, and has their prompts computed by others.</summary>
    Decode,
}

/// <summary>What roles are called wherever a program or a person reads of one.</summary>
public static class NodeRoles
{
    /// <summary>The name, such as <c>prefill</c>.</summary>
    public static string Name(this NodeRole role) => role.ToString().ToLowerInvariant();
}
