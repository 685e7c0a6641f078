using System.Text.Json.Serialization;
using Kvasir.Formats.Models;

namespace Kvasir.Inference.Model;

/// <summary>Writes a description with every field that it has, those that it will have one day included.</summary>
[JsonSerializable(typeof(ModelSpec))]
sealed partial class SpecJson : JsonSerializerContext;
