using System.Text.Json;

namespace Kvasir.Inference.Chat;

/// <summary>A tool that the model may call.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Parameters">JSON schema of its arguments; undefined for any object.</param>
public sealed record Tool(string Name, JsonElement Parameters);
