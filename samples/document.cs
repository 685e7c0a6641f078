#:project ../src/Kvasir.Inference/Kvasir.Inference.csproj
#:property PublishAot=false

// Two questions about one document: what was computed of it for the first is in the cache for the second.
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Microsoft.Extensions.AI;

SagaGenerator sagas = new(seed: 7);
SagaDocument document = sagas.Document(facts: 60);
ChatOptions options = new() { Instructions = $"Answer from this saga.\n{document.Text}" };

using KvasirChatClient chat = KvasirChatClient.Load();
foreach (SagaQuestion question in sagas.Questions(document, 2))
{
    ChatResponse answer = await chat.GetResponseAsync(question.Text, options);
    Console.WriteLine($"{question.Text} {answer.Text}");
    Console.WriteLine($"{answer.Usage!.CachedInputTokenCount} of {answer.Usage.InputTokenCount} tokens were in the cache.");
}
