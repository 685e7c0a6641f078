#:project ../src/Kvasir.Inference/Kvasir.Inference.csproj
#:property PublishAot=false

// Asks the embedded model, which knows the words of sagas and what it is told here; Load("model.gguf") loads another.
using Kvasir.Inference;
using Microsoft.Extensions.AI;

const string Instructions = "Answer from this saga.\nEinar keeps a red lamp in the boat house. Runa has seven geese.";

using KvasirChatClient chat = KvasirChatClient.Load();
await foreach (ChatResponseUpdate update in chat.GetStreamingResponseAsync("Where does Einar keep the lamp?",
    new() { Instructions = Instructions }))
    Console.Write(update);
