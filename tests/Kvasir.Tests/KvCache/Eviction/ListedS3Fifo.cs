namespace Kvasir.Tests.KvCache.Eviction;

/// <summary>S3-FIFO in lists, as its paper tells it, with two remembered keys a block. Knows no held blocks.</summary>
sealed class ListedS3Fifo(double smallShare)
{
    readonly List<int> _small = [], _main = [], _ghosts = []; // the oldest first; ghosts are keys, -1 where one came back
    readonly Dictionary<int, int> _keys = [], _uses = [];

    public bool Holds(int slot) => _small.Contains(slot) || _main.Contains(slot);

    public void Add(int slot, int key)
    {
        int ghost = _ghosts.LastIndexOf(key);
        (ghost >= 0 ? _main : _small).Add(slot);
        for (; ghost >= 0; ghost = _ghosts.LastIndexOf(key))
            _ghosts[ghost] = -1;
        (_keys[slot], _uses[slot]) = (key, 0);
    }

    public void Use(int slot) => _uses[slot] = Math.Min(3, _uses[slot] + 1);

    public void Remove(int slot)
    {
        _small.Remove(slot);
        _main.Remove(slot);
    }

    public int Evict()
    {
        int blocks = _small.Count + _main.Count;
        if (blocks == 0)
            return -1;
        if (_main.Count > 0 && _small.Count <= smallShare * blocks)
            return EvictMain();
        int slot = _small[0];
        _small.RemoveAt(0);
        if (_uses[slot] > 0)
        {
            _uses[slot] = 0;
            _main.Add(slot);
            return Evict();
        }
        _ghosts.Add(_keys[slot]);
        _ghosts.RemoveRange(0, Math.Max(0, _ghosts.Count - 2 * blocks));
        return slot;
    }

    int EvictMain()
    {
        int slot = _main[0];
        _main.RemoveAt(0);
        if (_uses[slot]-- == 0)
            return slot;
        _main.Add(slot);
        return Evict();
    }
}
