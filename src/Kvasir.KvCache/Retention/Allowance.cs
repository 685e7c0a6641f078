namespace Kvasir.KvCache.Retention;

/// <summary>Units that may still be taken: so many, or segments as long as they fit into so many slots.</summary>
sealed class Allowance
{
    readonly SegmentSizes? _sizes;
    readonly long _slots;
    long _units;

    public Allowance(long units) => _units = units;

    public Allowance(SegmentSizes sizes, long slots) => (_sizes, _slots) = (sizes, slots);

    public bool TryTake(int layer)
    {
        if (_sizes is null)
            return _units-- > 0;
        if (_sizes.OpensSlot(layer) && _sizes.Slots == _slots)
            return false;
        _sizes.Take(layer, 1);
        return true;
    }
}
