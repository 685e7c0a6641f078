using System.Collections.Immutable;
using Kvasir.Inference.Sampling.Constraints.Automata;

namespace Kvasir.Inference.Sampling.Constraints.Gbnf;

/// <summary>A part of a rule.</summary>
abstract record GbnfPart;

/// <summary>A text or one character of a class.</summary>
sealed record GbnfText(ByteExpression Bytes, bool IsEmpty) : GbnfPart;

/// <summary>Another rule, named at a place of the grammar's text.</summary>
sealed record GbnfName(string Rule, int At) : GbnfPart;

/// <summary>One part after the other.</summary>
sealed record GbnfSequence(ImmutableArray<GbnfPart> Items) : GbnfPart;

/// <summary>Any of the options.</summary>
sealed record GbnfChoice(ImmutableArray<GbnfPart> Options) : GbnfPart;

/// <summary>An item some number of times, without end where there is no most.</summary>
sealed record GbnfRepetition(GbnfPart Item, int Least, int? Most, int At) : GbnfPart;
