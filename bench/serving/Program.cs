using System.CommandLine;
using System.CommandLine.Help;
using System.Text;
using Kvasir.Serving;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
ParseResult parsed = Flags.CreateCommand().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
{
    foreach (string error in parsed.Errors.Select(error => error.Message).Distinct())
        await Console.Error.WriteLineAsync($"serving: {error}");
    return 2;
}
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration
    {
        EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(20),
    });
}
catch (ServingException e)
{
    await Console.Error.WriteLineAsync($"serving: {e.Message.ReplaceLineEndings(" ")}");
    return 1;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("serving: interrupted; the servers that it started are stopped");
    return 1;
}
