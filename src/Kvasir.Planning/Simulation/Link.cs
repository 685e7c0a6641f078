namespace Kvasir.Planning.Simulation;

/// <summary>
/// The way to a store: machines that move something at the same time have equal parts of its bandwidth, but none more than its own
/// connection gives; what one machine moves has equal parts of that.
/// </summary>
sealed class Link(double machineBytesPerS, double bytesPerS)
{
    readonly List<Transfer> _transfers = [];
    readonly Dictionary<Machine, int> _transfersOf = [];
    double _now;
    Transfer? _next;

    /// <summary>When the next transfer ends if nothing else begins; infinite when there is none.</summary>
    public double NextEnd => _next?.End ?? double.PositiveInfinity;

    /// <summary>Seconds that bytes take when nobody else moves any.</summary>
    public double SecondsAlone(long bytes) => bytes / Math.Min(machineBytesPerS, bytesPerS);

    /// <summary>Bytes begin to move.</summary>
    /// <param name="machine">To or from whom.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="now">When.</param>
    /// <param name="over">Is told when all have moved.</param>
    public Transfer Begin(Machine machine, long bytes, double now, Action<double> over)
    {
        MoveUntil(now);
        Transfer transfer = new(machine, bytes, over);
        _transfers.Add(transfer);
        _transfersOf[machine] = _transfersOf.GetValueOrDefault(machine) + 1;
        Divide();
        return transfer;
    }

    /// <summary>The transfer that ends next does.</summary>
    public void EndNext()
    {
        Transfer ended = _next!;
        MoveUntil(ended.End);
        _transfers.Remove(ended);
        if (--_transfersOf[ended.Machine] == 0)
            _transfersOf.Remove(ended.Machine);
        Divide();
        ended.Over(_now);
    }

    /// <summary>How much of a transfer has moved, 0 to 1.</summary>
    public double Share(Transfer transfer, double now) =>
        now <= _now ? 1 - transfer.Left / transfer.Bytes : 1 - (transfer.Left - transfer.Rate * (now - _now)) / transfer.Bytes;

    void MoveUntil(double now)
    {
        if (now <= _now)
            return;
        foreach (Transfer transfer in _transfers)
            transfer.Left = Math.Max(0, transfer.Left - transfer.Rate * (now - _now));
        _now = now;
    }

    void Divide()
    {
        double each = Math.Min(machineBytesPerS, bytesPerS / Math.Max(1, _transfersOf.Count));
        _next = null;
        foreach (Transfer transfer in _transfers)
        {
            transfer.Rate = each / _transfersOf[transfer.Machine];
            transfer.End = _now + transfer.Left / transfer.Rate;
            if (_next is null || transfer.End < _next.End)
                _next = transfer;
        }
    }
}

/// <summary>Bytes on their way.</summary>
sealed class Transfer(Machine machine, long bytes, Action<double> over)
{
    public Machine Machine => machine;

    public long Bytes => bytes;

    public Action<double> Over => over;

    /// <summary>Bytes that have not moved yet.</summary>
    public double Left { get; set; } = bytes;

    /// <summary>How fast they move, a second.</summary>
    public double Rate { get; set; }

    /// <summary>When the last one has moved, if nothing changes.</summary>
    public double End { get; set; }
}
