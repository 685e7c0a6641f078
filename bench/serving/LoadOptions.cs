namespace Kvasir.Serving;

/// <summary>What the clients do.</summary>
enum Scenario
{
    /// <summary>All clients talk at once.</summary>
    Chats,

    /// <summary>The same chats, one after another.</summary>
    Single,

    /// <summary>Connections that ask for nothing.</summary>
    Idle,

    /// <summary>Saturation with clients that leave in mid-stream.</summary>
    Soak,
}

/// <summary>What is asked of every server, alike.</summary>
sealed record LoadOptions
{
    public required IReadOnlyList<ServerSpec> Servers { get; init; }

    public Scenario Scenario { get; init; }

    public int Clients { get; init; } = 32;

    /// <summary>Tokens of the system prompt that all chats share.</summary>
    public int SystemTokens { get; init; } = 1500;

    /// <summary>Tokens of each message of a user, about.</summary>
    public int UserTokens { get; init; } = 30;

    /// <summary>Tokens of each answer.</summary>
    public int MaxTokens { get; init; } = 64;

    /// <summary>Questions and answers of each chat.</summary>
    public int Turns { get; init; } = 2;

    /// <summary>Over how long the clients' first questions are spread.</summary>
    public TimeSpan Ramp { get; init; }

    public int Rounds { get; init; } = 3;

    public int Seed { get; init; } = 1;

    /// <summary>The model to ask for; null takes the first one that the server lists.</summary>
    public string? Model { get; init; }

    /// <summary>How long one server may take for one round, its start included and <see cref="SoakTime"/> not.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a soak lasts.</summary>
    public TimeSpan SoakTime { get; init; }

    /// <summary>Connections of <see cref="Scenario.Idle"/>.</summary>
    public int Connections { get; init; } = 1000;
}
