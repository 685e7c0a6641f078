namespace Kvasir.Tests.Repository;

/// <summary>
/// What each project may use, and each of its folders of the others. Both stand from the bottom up, so that no cycle can be written down.
/// </summary>
static class ArchitectureTable
{
    public static ProjectRule[] Rules { get; } =
    [
        new("Kvasir.Formats", [], """
            (root)
            Gguf -> (root)
            Safetensors -> (root)
            Quantization -> (root), Gguf
            Models -> (root), Gguf, Quantization
            Hub -> (root), Gguf, Models, Quantization, Safetensors
            """),
        new("Kvasir.KvCache", [], """
            Codecs
            Layout -> Codecs
            Metrics
            Prefixes
            Retention -> Codecs
            Eviction -> Prefixes
            Routing -> Eviction
            Blocks -> Eviction, Layout, Metrics, Prefixes
            Tiers -> Blocks, Codecs, Eviction, Layout, Metrics, Prefixes
            Tiers/Disk -> Blocks, Eviction, Layout, Metrics, Prefixes, Tiers
            Streaming -> Blocks, Layout, Prefixes, Tiers, Tiers/Disk
            Views -> Blocks, Codecs, Layout, Prefixes, Retention
            Lookups -> Blocks, Prefixes, Tiers, Views
            (root) -> Blocks, Codecs, Layout, Lookups, Metrics, Prefixes, Retention, Streaming, Tiers, Tiers/Disk,
                Views
            Archive -> (root), Blocks, Layout, Prefixes, Tiers, Tiers/Disk
            """),
        new("Kvasir.Planning", ["Kvasir.Formats", "Kvasir.KvCache"], """
            Sizing
            Traces
            Traces/Generators -> Traces
            Simulation -> Sizing, Traces
            """),
        new("Kvasir.Inference", ["Kvasir.Formats", "Kvasir.KvCache"], """
            Saga
            Templates
            Templates/Values -> Templates
            Templates/Library -> Templates, Templates/Values
            Templates/Syntax -> Templates, Templates/Library, Templates/Values
            Tokenization -> Templates
            Kernels/Panels
            Kernels -> Kernels/Panels
            Model -> Kernels, Kernels/Panels
            Sampling
            Sampling/Constraints/Automata
            Sampling/Constraints/Nodes -> Sampling/Constraints/Automata
            Sampling/Constraints/Json -> Sampling/Constraints/Automata, Sampling/Constraints/Nodes
            Sampling/Constraints/Gbnf -> Sampling/Constraints/Automata, Sampling/Constraints/Nodes
            Sampling/Constraints/Schemas -> Sampling/Constraints/Automata, Sampling/Constraints/Json, Sampling/Constraints/Nodes
            Sampling/Constraints/Masks -> Sampling/Constraints/Automata, Sampling/Constraints/Nodes, Tokenization
            Sampling/Constraints -> Sampling/Constraints/Automata, Sampling/Constraints/Gbnf, Sampling/Constraints/Json,
                Sampling/Constraints/Masks, Sampling/Constraints/Nodes, Sampling/Constraints/Schemas, Tokenization
            Retention -> Kernels, Kernels/Panels, Model, Tokenization
            Measurement/Limits -> Kernels
            Drafting
            Scheduling -> Drafting, Measurement/Limits, Model, Retention, Sampling, Sampling/Constraints, Sampling/Constraints/Masks, Tokenization
            Chat -> Sampling/Constraints, Sampling/Constraints/Schemas, Templates, Templates/Library, Templates/Syntax, Templates/Values,
                Tokenization
            Chat/Answers -> Chat, Sampling/Constraints, Scheduling
            ExtensionsAI -> Chat, Chat/Answers, Sampling, Sampling/Constraints, Sampling/Constraints/Schemas, Scheduling
            (root) -> Chat, Chat/Answers, Drafting, ExtensionsAI, Kernels, Model, Retention, Saga, Sampling/Constraints/Masks, Scheduling,
                Tokenization
            Measurement/Speed -> (root), Drafting, Kernels, Kernels/Panels, Measurement/Limits, Model, Scheduling
            Measurement/Quality -> (root), Chat, Saga, Scheduling, Tokenization
            Synthesis -> Model, Sampling, Tokenization
            """),
        new("Kvasir.RemoteTiers", ["Kvasir.KvCache"], """
            Settings
            Stores -> Settings
            Values -> Settings, Stores
            Indexes -> Settings, Stores, Values
            Redis -> Settings, Stores
            S3 -> Settings, Stores
            (root) -> Indexes, Redis, S3, Settings, Stores, Values
            """),
        new("Kvasir.Store", [], "(root)"),
        new("Kvasir.Vulkan", ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Inference"], """
            Recording
            Devices -> Recording
            Passes -> Devices, Recording
            (root) -> Devices, Passes, Recording
            """),
        new("Kvasir.Cluster", ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Inference", "Kvasir.RemoteTiers"], """
            (root)
            Events
            Peers -> (root)
            Membership -> (root), Peers
            Routing -> Events
            """),
        new("Kvasir.Server", ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Planning", "Kvasir.Inference", "Kvasir.Cluster"], """
            Http
            Security -> Http
            Accounting -> Http
            Hints -> Http
            Serving -> Accounting, Hints, Http, Security
            OpenAi -> Accounting, Http, Security, Serving
            Anthropic -> Accounting, Http, Security, Serving
            LlamaServer -> Accounting, Http, OpenAi, Security, Serving
            Ollama -> Accounting, Http, OpenAi, Security, Serving
            Kv -> Accounting, Http, OpenAi, Security, Serving
            Observability -> Accounting, Http, Kv, Serving
            Dashboard -> Http
            (root) -> Accounting, Anthropic, Dashboard, Hints, Http, Kv, LlamaServer, Observability, Ollama, OpenAi, Security, Serving
            """),
        new("Kvasir.Cli", ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Planning", "Kvasir.Inference", "Kvasir.RemoteTiers",
            "Kvasir.Cluster", "Kvasir.Server", "Kvasir.Store", "Kvasir.Vulkan"], """
            Output
            Configuration -> Output
            Sessions -> Output
            Stores
            Flags -> Configuration, Output, Sessions, Stores
            Pull -> Flags, Output, Stores
            Verbs -> Configuration, Flags, Output, Pull, Sessions, Stores
            Verbs/Kv -> Flags, Output, Verbs
            Verbs/Simulate/Reports -> Flags, Output
            Verbs/Simulate/Html -> Flags, Verbs/Simulate/Reports
            Verbs/Simulate -> Flags, Output, Verbs, Verbs/Simulate/Html, Verbs/Simulate/Reports
            (root) -> Configuration, Flags, Output, Verbs, Verbs/Kv, Verbs/Simulate
            """),
        new("Kvasir.Serving", ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Inference"], "(root)"),
        new("Kvasir.Benchmarks", ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Inference"], "(root)"),
        new("TrainSaga", ["Kvasir.Formats", "Kvasir.Inference"], "(root)"),
        new("Kvasir.Tests",
            ["Kvasir.Formats", "Kvasir.KvCache", "Kvasir.Planning", "Kvasir.Inference", "Kvasir.RemoteTiers", "Kvasir.Cluster",
                "Kvasir.Server", "Kvasir.Cli", "Kvasir.Serving", "Kvasir.Vulkan"],
            """
            Fixtures
            ExtensionsAI -> Fixtures
            Golden -> Fixtures
            Kernels -> Fixtures
            KvCache/Disk -> Fixtures
            KvCache -> Fixtures, KvCache/Disk
            KvCache/Eviction -> Fixtures, KvCache
            KvCache/Replay -> Fixtures, KvCache
            KvCache/Routing
            KvCache/Tiers
            Model -> Fixtures
            Packages -> Fixtures
            Retention -> Fixtures, Model
            Reuse -> Fixtures, KvCache/Tiers
            Drafting -> Fixtures, Reuse
            Saga
            Samples -> Fixtures
            Sampling -> Fixtures
            Scheduling -> Fixtures, KvCache/Tiers, Model
            Serving
            Synthesis -> Fixtures
            Tokenization -> Fixtures
            Hub -> Fixtures, Tokenization
            Stores -> Fixtures
            Sampling/Constraints -> Tokenization
            Templates -> Fixtures, Tokenization
            Chat -> Fixtures, Templates, Tokenization
            Cli -> Fixtures, KvCache/Disk, Templates
            Measurement -> Cli, Fixtures
            Pull -> Cli, Fixtures
            RemoteTiers -> Cli, Fixtures, Reuse
            Server -> Cli, Fixtures, KvCache/Tiers, Model, Reuse
            Compatibility -> Cli, Fixtures, Server
            Cluster -> Cli, Fixtures, RemoteTiers, Reuse, Server
            Repository -> Cli, Fixtures, Reuse, Server, Tokenization
            Sizing -> Cli, Fixtures, Retention
            Simulation -> Cli, Cluster, Fixtures, KvCache/Replay, KvCache/Tiers, RemoteTiers, Reuse, Sizing
            Formats -> Fixtures, Sizing
            Traces -> Fixtures
            Vulkan -> Cli, Fixtures, Model, Reuse
            """),
    ];

    public static ProjectRule Of(string project) => Rules.FirstOrDefault(rule => rule.Project == project)
        ?? throw new InvalidDataException($"{project}: no rule, expected one in ArchitectureTable");
}
