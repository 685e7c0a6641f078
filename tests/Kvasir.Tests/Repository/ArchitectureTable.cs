namespace Kvasir.Tests.Repository;

/// <summary>What each project may use, and each of its folders of the others. Both from the bottom up, so that no cycle can be written down.</summary>
static class ArchitectureTable
{
    /// <summary>The project whose folders are held to no rule for now.</summary>
    public const string UnderReconstruction = "Kvasir.KvCache"; // TODO coordinator: "" when the folders of KvCache have found their places

    public static ProjectRule[] Rules { get; } =
    [
        new("Kvasir.Formats", [], ""),
    ];

    public static ProjectRule Of(string project) =>
        Rules.FirstOrDefault(rule => rule.Project == project) ?? throw new InvalidDataException($"{project}: no rule, expected one in ArchitectureTable");
}
