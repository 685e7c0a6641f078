using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Tests.Fixtures;

/// <summary>The tiers of a cache by their kind, for tests that look into one.</summary>
static class CacheTiers
{
    extension(TieredKvCache cache)
    {
        public BlockPool? Host => cache.Tiers.OfType<HostTier>().FirstOrDefault()?.Pool;

        public DiskTier? Disk => cache.Tiers.OfType<DiskTier>().FirstOrDefault();
    }
}
