using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;

namespace Kvasir.Planning.Sizing;

/// <summary>What the passes of a model cost with weights and KV of given sizes.</summary>
public sealed class ModelTraffic
{
    readonly double _bytesPerWeight, _bytesPerElement, _active, _idle, _output;
    readonly ImmutableArray<AttentionSpec> _attention, _owners; // of the layers that have any; of those that keep keys and values
    readonly double _stateBytes; // of a sequence, whatever its length

    /// <param name="model">The model.</param>
    /// <param name="bytesPerWeight">Bytes of one weight, scales included.</param>
    /// <param name="bytesPerElement">Bytes of one element of K or V, scales included.</param>
    /// <param name="routing">How a mixture chooses experts, where not as the model says. What one token reads stays.</param>
    /// <exception cref="ArgumentException">The model's active parameters are unknown, or a routing is given to one without experts, or
    /// leaves none to choose.</exception>
    public ModelTraffic(ModelSpec model, double bytesPerWeight, double bytesPerElement, ExpertRouting? routing = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        (Model, _bytesPerWeight, _bytesPerElement) = (model, bytesPerWeight, bytesPerElement);
        _attention = [.. model.Attention];
        _owners = [.. model.Layers.Where((layer, i) => layer.Attention?.Producer == i).Select(layer => layer.Attention!)];
        _stateBytes = model.Layers.Sum(layer => (double)layer.StateElements * sizeof(float));
        _active = model.ActiveParameters is { } active and > 0 ? active : throw new ArgumentException(
            $"{Printable.Line(model.Name)}: active parameters: {(model.ActiveParameters is null ? "unknown" : "none")} in "
                + $"{Printable.Line(model.Source, 4096)}, expected some: limits follow from them");
        _output = Math.Min(_active, (double)model.Width * model.Vocabulary);
        if (routing is { } given && (model.Experts is null || given.Chosen < 1 || given.Chosen >= given.All))
            throw new ArgumentException($"{Printable.Line(model.Name)}: a choice of {given.Chosen} from {given.All} experts, expected "
                + $"{(model.Experts is null ? "none: the model has no experts" : "fewer than all")}");
        (Routing, _idle) = (routing ?? model.Experts?.Routing, model.Experts?.Idle ?? 0);
    }

    /// <summary>The model.</summary>
    public ModelSpec Model { get; }

    /// <summary>How tokens choose experts; null for a model without any.</summary>
    public ExpertRouting? Routing { get; }

    /// <summary>Bytes of all weights; null when the model does not say.</summary>
    public double? ResidentWeightBytes => Model.Parameters * _bytesPerWeight;

    /// <summary>Bytes of the weights that a step reads: the dense ones, and the experts that are touched.</summary>
    public double WeightBytes(double batch) => _bytesPerWeight * (_active + _idle * (Routing?.Woken(batch) ?? 0));

    /// <summary>
    /// Bytes of keys and values that a step reads for one sequence: of every layer, also of those that read another's, and never from
    /// behind a window. States of fixed size count with them.
    /// </summary>
    public double KvBytesRead(int position) =>
        _bytesPerElement * _attention.Sum(layer => Seen(layer, position) * Elements(Model.Layers[layer.Producer].Attention!)) + _stateBytes;

    /// <summary>
    /// Bytes of keys and values that are kept for one sequence, of the layers that own some, and of states of fixed size.
    /// </summary>
    public double KvBytesKept(int position) =>
        _bytesPerElement * _owners.Sum(layer => Seen(layer, position) * Elements(layer)) + _stateBytes;

    /// <summary>A step in which each sequence of a batch gets one token, with <paramref name="position"/> tokens before it.</summary>
    public PassCost Step(int batch, int position) => new(
        WeightBytes(batch), batch * KvBytesRead(position), 2 * _active * batch,
        batch * _attention.Sum(layer => Seen(layer, position) * OperationsPerToken(layer)));

    /// <summary>
    /// A prompt of so many tokens after <paramref name="depth"/> others, of which the last gets logits. Attention of an MLA is not counted:
    /// its heads are wider than what is kept of them.
    /// </summary>
    public PassCost Prefill(int tokens, int depth = 0) => new(
        WeightBytes(tokens), KvBytesKept(depth + tokens), 2 * ((_active - _output) * tokens + _output),
        _attention.Where(layer => !layer.IsLatent)
            .Sum(layer => (SeenByAll(layer, depth + tokens) - SeenByAll(layer, depth)) * OperationsPerToken(layer)));

    /// <summary>Tokens that a token at a position attends to.</summary>
    static double Seen(AttentionSpec layer, int position) => Math.Min(layer.Window ?? position, position);

    /// <summary>The sum of that over the tokens of a prompt, each of which attends to itself, too.</summary>
    static double SeenByAll(AttentionSpec layer, double tokens)
    {
        double window = Math.Min(layer.Window ?? tokens, tokens);
        return window * (window + 1) / 2 + (tokens - window) * window;
    }

    /// <summary>
    /// Elements kept for one token. Dimensions come from files and may be absurd; in floating point their product does not overflow.
    /// </summary>
    static double Elements(AttentionSpec layer) => (double)layer.KvHeads * (layer.KeyDim + layer.ValueDim);

    /// <summary>
    /// Operations of a query head with a key and a value, over all heads. Of an MLA only those with the key, since how much
    /// of it is the value is unknown.
    /// </summary>
    static double OperationsPerToken(AttentionSpec layer) => 2.0 * layer.Heads * (layer.KeyDim + layer.ValueDim);
}
