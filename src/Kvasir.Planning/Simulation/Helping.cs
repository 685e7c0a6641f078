using Kvasir.KvCache.Routing;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>Machines that compute prompts for others.</summary>
sealed class Helping(Machine[] machines, int blockTokens)
{
    /// <summary>Whether there is any that can.</summary>
    public bool HasLive(double now) => Array.Exists(machines, machine => !machine.IsKnownLost(now));

    /// <summary>
    /// Brings a prompt to the machine that computes it for another: chosen by the policy of routers, as far as who asks knows what it has
    /// sent where, and what of it has not come yet.
    /// </summary>
    public Visit Help(Visit visit, TraceRequest part, double now)
    {
        Machine asking = visit.Machine;
        ulong[] chain = [.. part.Blocks.Select(id => Visit.Mix((ulong)id))];
        NodeState[] nodes = [.. Enumerable.Range(0, machines.Length).Where(number => !machines[number].IsKnownLost(now))
            .Select(number => new NodeState(number, RendezvousHash.Id($"machine {number}"),
                new NodeLoad(0, 0, asking.AwaitedBlocks(machines[number]) * blockTokens, asking.Costs.TokensPerSecond)))];
        RoutedPrompt prompt = new(chain, visit.Request.InputTokens, blockTokens, chain[Math.Min(1, chain.Length - 1)]);
        int chosen = nodes[new PrefixPolicy(asking.Sent).Choose(prompt, nodes)].Number;
        asking.Sent.Add(chosen, chain);
        return visit.Helper = new Visit(part, machines[chosen], visit.Keys[..part.Blocks.Length])
        {
            Generation = machines[chosen].Generation,
            Helps = visit,
        };
    }

    /// <summary>A machine that computes for others is known to be lost: what it had of their prompts is, too.</summary>
    public void Forget(Machine machine, IEnumerable<Machine> asking)
    {
        if (Array.IndexOf(machines, machine) is >= 0 and var number)
            foreach (Machine each in asking)
                each.Sent.Clear(number);
    }
}
