namespace Kvasir.KvCache.Blocks;

/// <summary>A place where blocks can live, the fastest first.</summary>
public enum Tier
{
    /// <summary>The pool that attention reads; ordinary memory on a CPU.</summary>
    Device,

    /// <summary>Memory of the host.</summary>
    Host,

    /// <summary>A local disk: survives a restart.</summary>
    Disk,

    /// <summary>A store that several machines share.</summary>
    Remote,

    /// <summary>Another machine: what it has, or computes when it is asked. None that blocks are kept in.</summary>
    Peer,
}
