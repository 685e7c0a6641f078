namespace Kvasir.Inference.Kernels;

/// <summary>
/// Which rows of a batch have chosen which experts. A pair is a row and an expert that it has chosen; pairs are in order of experts, and of
/// rows within an expert, so that each expert's rows stand together. Where they are tiles, every expert begins one of its own.
/// </summary>
/// <param name="experts">The most experts.</param>
/// <param name="chosen">The most that a row chooses.</param>
/// <param name="rows">The most rows.</param>
sealed class ExpertPlan(int experts, int chosen, int rows)
{
    readonly int[] _choices = new int[rows * chosen], _counts = new int[experts], _rows = new int[rows * chosen];
    readonly float[] _choiceWeights = new float[rows * chosen], _weights = new float[rows * chosen];
    readonly int[] _experts = new int[experts], _firstPair = new int[experts + 1], _firstTile = new int[experts];
    readonly int[] _tilePairs = new int[MostTiles(experts, rows * chosen)], _tileRows = new int[MostTiles(experts, rows * chosen)];
    int _chosen;

    /// <summary>Pairs in all.</summary>
    public int Pairs { get; private set; }

    /// <summary>Experts that some row has chosen.</summary>
    public int Active { get; private set; }

    /// <summary>Tiles in all.</summary>
    public int Tiles { get; private set; }

    /// <summary>The most tiles of so many pairs: each expert's last one may have fewer rows than the others.</summary>
    public static int MostTiles(int experts, int pairs) =>
        (pairs + (QuantizedRows.Tile - 1) * Math.Min(experts, pairs)) / QuantizedRows.Tile;

    /// <summary>Begins a plan in which each row chooses so many.</summary>
    public void Begin(int chosenByRow) => _chosen = chosenByRow;

    /// <summary>Receives the experts that a row chooses, ascending.</summary>
    public Span<int> Choices(int row) => _choices.AsSpan(row * _chosen, _chosen);

    /// <summary>Receives their weights.</summary>
    public Span<float> ChoiceWeights(int row) => _choiceWeights.AsSpan(row * _chosen, _chosen);

    /// <summary>Brings the pairs of so many rows into order, once all have chosen.</summary>
    public void Group(int count)
    {
        Pairs = count * _chosen;
        Array.Clear(_counts);
        foreach (int expert in _choices.AsSpan(0, Pairs))
            _counts[expert]++;
        (Active, Tiles) = (0, 0);
        for (int expert = 0, pair = 0; expert < _counts.Length; expert++)
        {
            if (_counts[expert] == 0)
                continue;
            (_experts[Active], _firstPair[Active], _firstTile[Active]) = (expert, pair, Tiles);
            AddTiles(pair, _counts[expert]);
            pair += _counts[expert];
            _counts[expert] = _firstPair[Active++]; // from here on where its next pair goes
        }
        _firstPair[Active] = Pairs;
        for (int choice = 0; choice < Pairs; choice++)
        {
            int pair = _counts[_choices[choice]]++;
            (_rows[pair], _weights[pair]) = (choice / _chosen, _choiceWeights[choice]);
        }
    }

    void AddTiles(int pair, int count)
    {
        for (int row = 0; row < count; row += QuantizedRows.Tile)
            (_tilePairs[Tiles], _tileRows[Tiles++]) = (pair + row, Math.Min(QuantizedRows.Tile, count - row));
    }

    /// <summary>An active expert's number.</summary>
    public int Expert(int active) => _experts[active];

    /// <summary>Its first pair.</summary>
    public int FirstPair(int active) => _firstPair[active];

    /// <summary>How many rows have chosen it.</summary>
    public int Rows(int active) => _firstPair[active + 1] - _firstPair[active];

    /// <summary>The tile that its rows begin with.</summary>
    public int FirstTile(int active) => _firstTile[active];

    /// <summary>A pair's row.</summary>
    public int Row(int pair) => _rows[pair];

    /// <summary>A pair's weight.</summary>
    public float Weight(int pair) => _weights[pair];

    /// <summary>A tile's pairs.</summary>
    public (int First, int Count) Tile(int tile) => (_tilePairs[tile], _tileRows[tile]);
}
