using System.Text;
using Kvasir.Cli;
using Kvasir.Cli.Output;

bool hasOutput = StandardStreams.Settle();
Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
if (!hasOutput)
    return Terminal.Error("standard output is closed, expected somewhere for the answer to go", ExitCode.Failed);
return CommandLineRunner.Run(RootVerb.Create(args), args);
