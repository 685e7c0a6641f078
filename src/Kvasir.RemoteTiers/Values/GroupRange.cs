namespace Kvasir.RemoteTiers.Values;

/// <summary>Consecutive groups of layers.</summary>
/// <param name="First">The first.</param>
/// <param name="End">The one after the last.</param>
readonly record struct GroupRange(int First, int End);
