using Garnet;
using Garnet.server;
using Garnet.server.ACL;

namespace Kvasir.Store;

/// <summary>
/// A server whose clients read, write, list and delete, and change nothing of the server: no snapshots, settings or replicas.
/// </summary>
sealed class GuardedServer : GarnetServer
{
    public GuardedServer(GarnetServerOptions options) : base(options)
    {
        User user = storeWrapper.accessControlList.GetDefaultUserHandle().User;
        user.RemoveCategory(RespAclCategories.Admin);
        user.RemoveCategory(RespAclCategories.Dangerous);
        user.AddCommand(RespCommand.INFO);
    }
}
