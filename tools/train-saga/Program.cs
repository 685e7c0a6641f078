using Kvasir.Inference.Saga;
using Kvasir.Inference.Tokenization;
using Kvasir.TrainSaga;

// One step of the recipe each: see README.md beside this file.
switch (args)
{
    case ["vocabulary", var folder]:
        WriteVocabulary(folder);
        return 0;
    case ["batches", var folder, .. var stages]:
        WriteBatches(ReadVocabulary(folder), stages);
        return 0;
    case ["export", var folder, var checkpoint, var path, var name]:
        using (Checkpoint read = new(checkpoint))
            new ModelExport(read, ReadVocabulary(folder)).Write(path, name);
        return 0;
    default:
        Console.Error.WriteLine("vocabulary FOLDER | batches FOLDER SEED:LENGTH:ROWS:FACTS:STRANGERS:FAMILIES:HOUSEHOLDS:BATCHES... | "
            + "export FOLDER CHECKPOINT GGUF NAME");
        return 2;
}

static void WriteVocabulary(string folder)
{
    SagaGenerator saga = new(seed: 1);
    RowTexts texts = new(saga);
    Vocabulary vocabulary = VocabularyTrainer.Train(texts.Take(200_000), size: 4096);
    File.WriteAllLines(Path.Combine(folder, "tokens.txt"), vocabulary.Tokens);
    File.WriteAllLines(Path.Combine(folder, "merges.txt"), vocabulary.Merges);
    Console.Error.WriteLine($"{vocabulary.Tokens.Length} tokens");
}

static Vocabulary ReadVocabulary(string folder) =>
    VocabularyTrainer.From([.. File.ReadAllLines(Path.Combine(folder, "tokens.txt"))],
        [.. File.ReadAllLines(Path.Combine(folder, "merges.txt"))]);

static void WriteBatches(Vocabulary vocabulary, string[] stages)
{
    Tokenizer tokenizer = new(vocabulary);
    using Stream output = Console.OpenStandardOutput();
    foreach (string stage in stages)
        Stage.Write(tokenizer, stage, output);
}
