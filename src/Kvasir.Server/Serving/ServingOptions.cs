namespace Kvasir.Server.Serving;

/// <summary>What the protocols need to know of how the server is set up.</summary>
/// <param name="MaxChoices">Most choices of one request.</param>
/// <param name="ShowsText">Whether those who may see the cache may see the texts in it.</param>
sealed record ServingOptions(int MaxChoices, bool ShowsText);
