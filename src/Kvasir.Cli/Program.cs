using System.Text;
using Kvasir.Cli;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
return CommandLineRunner.Run(RootVerb.Create(args), args);
