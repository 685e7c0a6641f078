using System.Text.Json.Serialization;
using Kvasir.Server.Accounting;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Anthropic;

/// <summary>An event of a streamed message, its type first. Some, as <c>ping</c> and <c>message_stop</c>, have nothing else.</summary>
[JsonDerivedType(typeof(MessageStart))]
[JsonDerivedType(typeof(BlockStart))]
[JsonDerivedType(typeof(BlockDelta))]
[JsonDerivedType(typeof(BlockStop))]
[JsonDerivedType(typeof(MessageDelta))]
record MessageEvent([property: JsonPropertyOrder(-1)] string Type);

/// <summary>The message without its content.</summary>
sealed record MessageStart(Message Message) : MessageEvent("message_start");

/// <summary>A block begins.</summary>
sealed record BlockStart(int Index, MessageBlock ContentBlock) : MessageEvent("content_block_start");

/// <summary>More of a block.</summary>
sealed record BlockDelta(int Index, BlockPiece Delta) : MessageEvent("content_block_delta");

/// <summary>A block is over.</summary>
sealed record BlockStop(int Index) : MessageEvent("content_block_stop");

/// <summary>Why the message stopped, and what it used.</summary>
sealed record MessageDelta(StopDelta Delta, MessageUsage Usage,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Explanation? Kvasir)
    : MessageEvent("message_delta");

/// <summary>Why a message stopped.</summary>
sealed record StopDelta(string StopReason, string? StopSequence);

/// <summary>What is new in a block.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(TextPiece), "text_delta")]
[JsonDerivedType(typeof(InputPiece), "input_json_delta")]
[JsonDerivedType(typeof(ThinkingPiece), "thinking_delta")]
[JsonDerivedType(typeof(SignaturePiece), "signature_delta")]
abstract record BlockPiece;

/// <summary>More of a text.</summary>
sealed record TextPiece(string Text) : BlockPiece;

/// <summary>More of what the model thinks.</summary>
sealed record ThinkingPiece(string Thinking) : BlockPiece;

/// <summary>The signature of thoughts that are over.</summary>
sealed record SignaturePiece(string Signature) : BlockPiece;

/// <summary>More of a call's arguments, as a text that will be JSON.</summary>
sealed record InputPiece(string PartialJson) : BlockPiece;
