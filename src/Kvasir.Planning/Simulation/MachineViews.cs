using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Views;

namespace Kvasir.Planning.Simulation;

/// <summary>The views in a machine's pool: the books of <see cref="ViewBook"/>, without memory and for one policy.</summary>
sealed class MachineViews
{
    readonly Dictionary<BlockKey, MachineView> _views = []; // by the last key of the prefix
    readonly LinkedList<MachineView> _ages = new(); // the one used last last

    /// <summary>Views that gave way.</summary>
    public long Reclaimed { get; private set; }

    /// <summary>The view of the longest beginning of a prefix; null for none.</summary>
    public MachineView? FindLongest(ReadOnlySpan<BlockKey> prefix)
    {
        for (int block = prefix.Length - 1; _views.Count > 0 && block >= 0; block--)
            if (_views.TryGetValue(prefix[block], out MachineView? view))
                return view;
        return null;
    }

    /// <summary>A view is there, from now on for all who look for it.</summary>
    public void Add(MachineView view)
    {
        view.IsFound = true;
        _views.Add(view.Prefix, view);
        _ages.AddLast(view);
    }

    /// <summary>Somebody reads a view.</summary>
    public void Use(MachineView view)
    {
        view.Readers++;
        if (_ages.Remove(view))
            _ages.AddLast(view);
    }

    /// <summary>Releases the view that nobody reads and that was unused for longest; false when there is none.</summary>
    public bool TryReclaim()
    {
        MachineView? oldest = _ages.FirstOrDefault(view => view.Readers == 0);
        if (oldest is null)
            return false;
        _ages.Remove(oldest);
        _views.Remove(oldest.Prefix);
        oldest.Release();
        Reclaimed++;
        return true;
    }
}

/// <summary>A view.</summary>
/// <param name="prefix">The last key of what it stands for.</param>
/// <param name="blocks">Blocks that it stands for.</param>
/// <param name="slots">Those that it takes.</param>
sealed class MachineView(BlockKey prefix, int blocks, MutableBlock[] slots)
{
    public BlockKey Prefix => prefix;

    public int Blocks => blocks;

    /// <summary>Requests that read it.</summary>
    public int Readers { get; set; }

    /// <summary>Whether others find it; else it goes with its reader.</summary>
    public bool IsFound { get; set; }

    public void Release() => Array.ForEach(slots, slot => slot.Dispose());
}
