using System.Text.Json.Serialization;
using Kvasir.Formats.Models;

namespace Kvasir.Inference.Model;

/// <summary>
/// Writes a description with every field that it has, those that it will have one day included. What is zero or null is left out, so that a
/// new field changes nothing for models that do not have it.
/// </summary>
[JsonSerializable(typeof(ModelSpec))]
[JsonSourceGenerationOptions(IncludeFields = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
sealed partial class SpecJson : JsonSerializerContext;
