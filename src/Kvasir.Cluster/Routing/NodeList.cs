using Kvasir.Cluster.Events;
using Kvasir.KvCache.Routing;

namespace Kvasir.Cluster.Routing;

/// <summary>The nodes of a router: who is there, who fits to the others, and who takes a request. Thread-safe.</summary>
sealed class NodeList
{
    const int HashesPerNode = 1 << 18;

    readonly Lock _gate = new();
    readonly RoutingPolicy _policy;
    readonly Action<string>? _log;
    readonly Dictionary<Node, string> _told = [];
    volatile Node[] _all = [];
    int _numbers;
    bool _isSettled;

    public NodeList(RouterOptions options)
    {
        Set(options.Nodes);
        _policy = RoutingPolicy.Create(options.Policy, Prefixes);
        _log = options.Log;
    }

    public IReadOnlyList<Node> All => _all;

    /// <summary>Which of them have what, about.</summary>
    public PrefixMap Prefixes { get; } = new(HashesPerNode);

    /// <summary>From now on, these are the nodes: says who is new, and who is one no more.</summary>
    public (Node[] Added, Node[] Removed) Set(IReadOnlyCollection<Uri> addresses)
    {
        lock (_gate)
        {
            Node[] before = _all, removed = [.. before.Where(node => !addresses.Contains(node.Address))];
            Node[] added = [.. addresses.Where(address => !before.Any(node => node.Address == address))
                .Select(address => new Node(_numbers++, address))];
            _all = [.. before.Except(removed), .. added];
            foreach (Node node in removed)
                Prefixes.Clear(node.Number);
            return (added, removed);
        }
    }

    /// <summary>The node that takes a request; null when none is left.</summary>
    public Node? Choose(PromptChain prompt, IReadOnlyCollection<Node> tried)
    {
        Node[] candidates = [.. All.Where(node => node.IsAlive && !tried.Contains(node))];
        if (Array.Exists(candidates, Decodes))
            candidates = [.. candidates.Where(Decodes)];
        if (candidates.Length == 0)
            return null;
        NodeState[] states = [.. candidates.Select(node => new NodeState(node.Number, RendezvousHash.Id(node.Name), node.Load))];
        return candidates[_policy.Choose(new RoutedPrompt(prompt.Hashes, prompt.Tokens, PromptChain.PieceTokens, prompt.Affinity), states)];
    }

    /// <summary>Whether there is a node that was not tried yet.</summary>
    public bool IsOneLeft(IReadOnlyCollection<Node> tried) => All.Any(node => node.IsAlive && !tried.Contains(node));

    /// <summary>The node that made an answer, if it still runs: its name is in the answer's id.</summary>
    public Node? MakerOf(string? responseId) => responseId is null ? null : All.FirstOrDefault(
        node => node.IsAlive && responseId.StartsWith($"resp_{node.Hello!.Incarnation}", StringComparison.Ordinal));

    /// <summary>A node by its name or address.</summary>
    public Node? Find(string name) => All.FirstOrDefault(
        node => node.Name == name || node.Address.Authority == name || node.Address.OriginalString == name);

    /// <summary>A node says who it is.</summary>
    public void Greet(Node node, NodeHello hello)
    {
        lock (_gate)
        {
            if (node.Hello?.Incarnation != hello.Incarnation)
                Prefixes.Clear(node.Number);
            node.Up(hello);
            NameAll();
            Judge();
            TellNews();
        }
    }

    /// <summary>A node is not there, or says what cannot be.</summary>
    /// <param name="node">The node.</param>
    /// <param name="problem">What is wrong, in one line.</param>
    /// <param name="isGone">Whether it did not say anything that is wrong, but nothing.</param>
    public void Lose(Node node, string problem, bool isGone)
    {
        lock (_gate)
        {
            bool wasThere = node.Trouble is null; // a request may have seen before that it does not answer
            node.Down(problem, isGone);
            if (wasThere)
                node.Counts.Lost(Prefixes.CountOnly(node.Number, [.. All.Where(other => other.IsAlive).Select(other => other.Number)]));
            TellNews();
        }
    }

    /// <summary>All have had time to answer: from now on what becomes of them is told.</summary>
    public void Settle()
    {
        lock (_gate)
        {
            _isSettled = true;
            TellNews();
        }
    }

    /// <summary>Nodes whose names are no one else's keep them; the others go by their addresses.</summary>
    void NameAll()
    {
        foreach (Node node in All)
            if (node.Hello is { } hello)
                node.Name = IsPlain(hello.Node) && All.Count(other => other.Hello?.Node == hello.Node) == 1
                    ? hello.Node
                    : node.Address.Authority;
    }

    /// <summary>Whether a name can stand in a header, a label and a line of a log.</summary>
    static bool IsPlain(string name) =>
        name.Length is > 0 and <= 100 && name.All(letter => letter is > ' ' and <= '~' and not ('"' or '\\'));

    /// <summary>Leaves out who does not fit to most of the others, whether they are there or not, and who is there twice.</summary>
    void Judge()
    {
        Node[] known = [.. All.Where(node => node.Hello is not null)];
        if (known.GroupBy(node => node.Hello!.Fingerprint).MaxBy(same => same.Count()) is not { } most)
            return;
        foreach (Node node in known)
        {
            node.Exclusion = node.Hello!.Fingerprint != most.Key
                ? $"has other keys and values ({node.Hello.Model}, fingerprint {Start(node.Hello.Fingerprint)}) than most, expected "
                    + $"{most.First().Hello!.Model}, fingerprint {Start(most.Key)}"
                : Array.Find(known, other => other.Number < node.Number && other.Hello!.Incarnation == node.Hello.Incarnation) is { } twin
                    ? $"is {twin.Address.Authority} under another name, expected each node once"
                    : null;
        }
    }

    static string Start(string fingerprint) => Formats.Printable.Line(fingerprint, 12);

    static bool Decodes(Node node) => node.Hello?.Role != "prefill";

    void TellNews()
    {
        if (!_isSettled)
            return;
        foreach (Node node in All)
        {
            string state = node.Trouble ?? $"is there ({node.Hello!.Model}, {node.Hello.Role})";
            string news = node.IsGone ? "gone" : state; // how it is gone may change each time that it is looked for
            if (_told.GetValueOrDefault(node) != news)
                _log?.Invoke($"node {node.Name}: {state}");
            _told[node] = news;
        }
    }
}
