using Kvasir.Formats.Models;

namespace Kvasir.Planning.Sizing;

/// <summary>One layer's KV cache spread over devices: each has whole heads.</summary>
public static class TensorParallel
{
    /// <summary>
    /// KV heads that each device holds. They are split; where there are more devices than KV heads, each head is on several; a latent
    /// (MLA), which all query heads read, is on every device.
    /// </summary>
    /// <exception cref="ArgumentException">The heads do not divide.</exception>
    public static int HeadsPerDevice(AttentionSpec layer, int devices)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        if (layer.Heads % devices != 0)
            throw new ArgumentException($"tensor parallelism over {devices} devices: expected a divisor of the {layer.Heads} query heads");
        if (layer.IsLatent || devices % layer.KvHeads == 0)
            return 1;
        return layer.KvHeads % devices == 0
            ? layer.KvHeads / devices
            : throw new ArgumentException(
                $"tensor parallelism over {devices} devices: expected a divisor or a multiple of the {layer.KvHeads} KV heads");
    }
}
