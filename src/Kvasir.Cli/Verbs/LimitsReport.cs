using System.Globalization;
using Kvasir.Formats;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Measurement.Speed;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>limits --json</c> prints. Rates are per second.</summary>
sealed record LimitsReport(MachineIdentity Machine, IReadOnlyList<ThreadLimits> Threads, DiskLimits? Disk, string? DiskNotMeasured)
{
    public void Print()
    {
        Terminal.Answers.WriteLine(
            $"{Printable.Line(Machine.Cpu)}, {Machine.LogicalProcessors} logical processors, {Machine.InstructionSet}, "
            + $"{ByteSize.Text(Machine.MemoryBytes)} of memory, {Printable.Line(Machine.OperatingSystem)}");
        if (MachineIdentity.AmxRefusal is { } refusal)
            Terminal.Answers.WriteLine($"the processor has AMX, which is not used: {refusal}");
        Terminal.Answers.Write(ThreadTable());
        if (Disk is { } disk)
            Print(disk);
        else
            Terminal.Answers.WriteLine($"disk: not measured: {DiskNotMeasured}");
        Terminal.Answers.WriteLine("GB/s and GOP/s are 10^9 per second; a copied byte counts once, a multiply-add twice.");
        DateTimeOffset oldest = Threads.Select(entry => entry.Measured).Concat(Disk is null ? [] : [Disk.Measured]).Min();
        Terminal.Answers.WriteLine($"measured {Date(oldest)}");
    }

    /// <summary>When something was measured, in the time of this place.</summary>
    public static string Date(DateTimeOffset measured) => measured.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    Table ThreadTable()
    {
        Table table = new Table().SimpleBorder();
        foreach (string column in (string[])["threads", "memory read", "memory copy", "fp32", "int8"])
            table.AddColumn(new TableColumn(column).RightAligned());
        table.AddColumn("int8 with");
        foreach (ThreadLimits entry in Threads)
            table.AddRow($"{entry.Threads}", Bytes(entry.ReadBytesPerS), Bytes(entry.CopyBytesPerS),
                Operations(entry.Fp32PerS), Operations(entry.Int8PerS),
                Markup.Escape(Printable.Line(entry.Int8Instructions)));
        return table;
    }

    static void Print(DiskLimits disk)
    {
        Terminal.Answers.WriteLine($"disk of {Printable.Line(disk.Directory, 4096)}, "
            + $"{(disk.Direct ? "direct I/O" : "through the system's cache: direct I/O was refused, and reads may have come from memory")}");
        Table table = new Table().SimpleBorder();
        foreach (string column in (string[])["write", "read", "read, 256 KiB scattered", "4 KiB to disk (median)"])
            table.AddColumn(new TableColumn(column).RightAligned());
        table.AddRow(Bytes(disk.WriteBytesPerS), Bytes(disk.ReadBytesPerS), Bytes(disk.RandomReadBytesPerS),
            $"{disk.FlushSeconds * 1e3:N2} ms");
        Terminal.Answers.Write(table);
    }

    static string Bytes(double perSecond) => $"{perSecond / 1e9:N2} GB/s";

    static string Operations(double perSecond) => $"{perSecond / 1e9:N1} GOP/s";
}
