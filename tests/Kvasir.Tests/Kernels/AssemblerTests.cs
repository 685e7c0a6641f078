using System.Diagnostics;
using System.Text.RegularExpressions;
using Kvasir.Inference.Kernels;
using Kvasir.Tests.Fixtures;
using static Kvasir.Inference.Kernels.Operand;
using static Kvasir.Inference.Kernels.Register;

namespace Kvasir.Tests.Kernels;

/// <summary>Machine code against bytes of the manual, and against what a disassembler reads in it.</summary>
public sealed partial class AssemblerTests
{
    /// <summary>Each as objdump writes it, with its bytes.</summary>
    static readonly (Action<Avx512Assembler> Write, string Bytes, string Text)[] s_instructions =
    [
        (code => code.Ldtilecfg(At(Rdi)), "c4e2784907", "ldtilecfg [rdi]"),
        (code => code.Ldtilecfg(At(R9, 64)), "c4c278494140", "ldtilecfg [r9+0x40]"),
        (code => code.Tilerelease(), "c4e27849c0", "tilerelease"),
        (code => code.Tilezero(0), "c4e27b49c0", "tilezero tmm0"),
        (code => code.Tilezero(7), "c4e27b49f8", "tilezero tmm7"),
        (code => code.Tileloadd(4, At(Rsi, 16), R9, 1), "c4a27b4ba40e10000000", "tileloadd tmm4,[rsi+r9*1+0x10]"),
        (code => code.Tileloadd(5, At(Rax, 1088), R9, 4), "c4a27b4bac8840040000", "tileloadd tmm5,[rax+r9*4+0x440]"),
        (code => code.Tileloadd(1, At(R8), Rcx, 8), "c4c27b4b8cc800000000", "tileloadd tmm1,[r8+rcx*8+0x0]"),
        (code => code.Tilestored(At(R11, 1024), 1, R9, 2), "c4827a4b8c4b00040000", "tilestored [r11+r9*2+0x400],tmm1"),
        (code => code.Tdpbssd(0, 4, 5), "c4e2535ec4", "tdpbssd tmm0,tmm4,tmm5"),
        (code => code.Tdpbssd(1, 4, 6), "c4e24b5ecc", "tdpbssd tmm1,tmm4,tmm6"),
        (code => code.Xgetbv(), "0f01d0", "xgetbv"),
        (code => code.Syscall(), "0f05", "syscall"),
        (code => code.Xchg(R11, R8), "4d87d8", "xchg r8,r11"),
        (code => code.Mov(At(Rdi, 104), R8), "4c894768", "mov QWORD PTR [rdi+0x68],r8"),
        (code => code.Add(Rsi, At(Rdi, 96)), "48037760", "add rsi,QWORD PTR [rdi+0x60]"),
        (code => code.Dec(At(Rdi, 136)), "48ff8f88000000", "dec QWORD PTR [rdi+0x88]"),
        (code => code.Vpsubd(Zmm(26), Zmm(31), Zmm(26)), "62010540fad2", "vpsubd zmm26,zmm31,zmm26"),
        (code => code.Vcvtdq2ps(Zmm(29), At(R11, 1088)), "62417c485b6b11", "vcvtdq2ps zmm29,ZMMWORD PTR [r11+0x440]"),
        (code => code.Vbroadcastss(Zmm(26), At(Rsi, 468)), "62627d48185675", "vbroadcastss zmm26,DWORD PTR [rsi+0x1d4]"),
    ];

    [Fact]
    public void Instructions_are_the_bytes_that_are_known_of_them()
    {
        foreach ((Action<Avx512Assembler> write, string bytes, string text) in s_instructions)
            Assert.Equal((text, bytes), (text, Convert.ToHexStringLower(Assembled(write))));
    }

    [Fact]
    public void A_disassembler_reads_what_was_written() =>
        Assert.Equal(s_instructions.Select(instruction => instruction.Text),
            Disassembled(Assembled(code => Array.ForEach(s_instructions, instruction => instruction.Write(code)))));

    /// <summary>The routines as a whole, so that no instruction is one that nobody tried alone.</summary>
    [Theory]
    [InlineData(1, false, 12)]
    [InlineData(1, true, 1)]
    [InlineData(2, true, 7)]
    public void A_disassembler_knows_every_instruction_of_a_routine(int parts, bool hasMinimums, int tokens)
    {
        string[] lines = Disassembled(new TileRoutine(new TileKind(parts, hasMinimums, tokens)).Assemble());
        Assert.DoesNotContain(lines, line => line.Contains("bad", StringComparison.Ordinal) || line.StartsWith('.'));
        Assert.Equal("ldtilecfg [rdi]", lines[0]);
        Assert.Equal(["tilerelease", "vzeroupper", "ret"], lines[^3..]);
    }

    [Fact]
    public void The_kernel_is_asked_with_the_numbers_of_its_headers()
    {
        Assert.Equal(["mov rcx,0x0", "xgetbv", "ret"], Disassembled(AmxPermission.AssembleStates()));
        Assert.Equal(["mov rax,0x9e", "mov rdi,0x1023", "mov rsi,0x12", "syscall", "ret"], Disassembled(AmxPermission.AssembleAsk()));
    }

    static byte[] Assembled(Action<Avx512Assembler> write)
    {
        Avx512Assembler code = new();
        write(code);
        return code.ToArray();
    }

    static string[] Disassembled(byte[] code)
    {
        using var folder = new TemporaryFolder();
        using Process? objdump = Start(folder.Write("code", code));
        if (objdump is null)
            Assert.Skip("objdump is not there");
        string text = objdump.StandardOutput.ReadToEnd();
        return [.. Line().Matches(text).Select(line => Blanks().Replace(line.Groups[1].Value, " ").Trim())];
    }

    static Process? Start(string path)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("objdump", ["-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "-w", path])
            { RedirectStandardOutput = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    [GeneratedRegex(@"^\s*[0-9a-f]+:\t(?:[0-9a-f]{2} )+\s*\t(.*)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
