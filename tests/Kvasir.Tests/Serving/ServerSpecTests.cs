using Kvasir.Serving;

namespace Kvasir.Tests.Serving;

public class ServerSpecTests
{
    [Fact]
    public void Quotes_hold_words_together_and_places_are_filled_in() =>
        Assert.Equal(
            ["serve me", "--port", "81", "--a=b c", "", "--dir=/tmp/a b", "C:\\x"],
            ServerSpec.ParseAll(["one='serve me'  --port {port} --a=\"b c\" '' --dir={dir} C:\\x"])[0].CommandAt(81, "/tmp/a b"));

    [Fact]
    public void An_address_is_not_started()
    {
        ServerSpec spec = ServerSpec.ParseAll(["there=http://localhost:8080/v1"])[0];
        Assert.Equal(("there", new Uri("http://localhost:8080/")), (spec.Name, spec.Address));
        Assert.Empty(spec.Command);
    }

    [Theory]
    [InlineData("expected NAME=COMMAND", "serve --port={port}")]
    [InlineData("expected NAME=COMMAND", "=serve {port}")]
    [InlineData("no {port}", "a=serve")]
    [InlineData("a ' is never closed", "a=serve 'x {port}")]
    [InlineData("named twice", "a=serve {port}", "a=serve {port}")]
    public void What_cannot_be_meant_is_refused(string expected, params string[] texts) =>
        Assert.Contains(expected, Assert.Throws<ServingException>(() => ServerSpec.ParseAll(texts)).Message, StringComparison.Ordinal);
}
