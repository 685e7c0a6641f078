using System.CommandLine;
using System.Text;
using Kvasir.Cli;
using Kvasir.Cli.Verbs;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

RootCommand root = new("Kvasir runs language models and never computes the keys and values of the same tokens twice.")
{
    RunVerb.Create(),
    ChatVerb.Create(),
    ShowVerb.Create(),
    TokenizeVerb.Create(),
    QuantizeVerb.Create(),
    SampleDocumentVerb.Create(),
};
return CommandLineRunner.Run(root, args);
