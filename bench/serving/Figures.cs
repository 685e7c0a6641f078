namespace Kvasir.Serving;

/// <summary>One number of a round.</summary>
/// <param name="Key">Its name for programs.</param>
/// <param name="Label">Its name for people, with the unit.</param>
/// <param name="Value">Null if it is not known.</param>
/// <param name="Decimals">As many as mean something.</param>
sealed record Figure(string Key, string Label, double? Value, int Decimals = 0);
