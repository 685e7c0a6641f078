#:project ../src/Kvasir.Inference/Kvasir.Inference.csproj
#:property PublishAot=false

// How near is each sentence to the first? The vectors' length is 1, so that their product is the cosine of the angle between them.
using Kvasir.Inference;
using Microsoft.Extensions.AI;

string[] sentences = ["Einar keeps a red lamp in the boat house", "Sigrid keeps a blue lamp in the boat house", "Runa likes to eat onions"];

using KvasirEmbeddingGenerator generator = KvasirEmbeddingGenerator.Load();
GeneratedEmbeddings<Embedding<float>> vectors = await generator.GenerateAsync(sentences);
foreach ((string sentence, Embedding<float> vector) in sentences.Zip(vectors))
    Console.WriteLine(
        FormattableString.Invariant($"{vectors[0].Vector.ToArray().Zip(vector.Vector.ToArray(), (a, b) => a * b).Sum():F3} {sentence}"));
