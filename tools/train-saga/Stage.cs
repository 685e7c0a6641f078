using System.Globalization;
using System.Runtime.InteropServices;
using Kvasir.Inference.Tokenization;

namespace Kvasir.TrainSaga;

/// <summary>Batches of one kind, shares in percent: <c>SEED:LENGTH:ROWS:FACTS:STRANGERS:FAMILIES:HOUSEHOLDS:BATCHES</c>.</summary>
sealed class Stage
{
    readonly RowBuilder _builder;
    readonly int _length, _rows, _facts;

    Stage(Tokenizer tokenizer, string text)
    {
        int[] numbers = [.. text.Split(':').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
        (int seed, _length, _rows, _facts, int strangers, int families, int households, Left) =
            (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]);
        _builder = new RowBuilder(tokenizer, seed, strangers / 100.0, families / 100.0, households / 100.0);
    }

    /// <summary>Batches still to come.</summary>
    public int Left { get; private set; }

    /// <summary>Kinds that are joined by <c>+</c> come in no order, as often as they have batches.</summary>
    public static void Write(Tokenizer tokenizer, string text, Stream output)
    {
        Stage[] stages = [.. text.Split('+').Select(part => new Stage(tokenizer, part))];
        Random random = new(stages.Length);
        for (int left = stages.Sum(stage => stage.Left); left > 0; left--)
        {
            int at = random.Next(left);
            stages.First(stage => (at -= stage.Left) < 0).Write(output);
        }
    }

    // A batch is the number of its rows and their length as 32-bit numbers, then length + 1 tokens of each row.
    void Write(Stream output)
    {
        Left--;
        output.Write(MemoryMarshal.AsBytes<int>([_rows, _length]));
        for (int row = 0; row < _rows; row++)
            output.Write(MemoryMarshal.AsBytes(_builder.Build(_length + 1, _facts)));
    }
}
