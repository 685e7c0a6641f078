using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Kvasir.Benchmarks;

/// <summary>A benchmark that knows how much work one call is.</summary>
public interface IRated
{
    /// <summary>Bytes that a call must read.</summary>
    double Bytes { get; }

    /// <summary>Operations of a call, a multiply-add counting two.</summary>
    double Operations { get; }
}

/// <summary>Adds GB/s and GOP/s (10^9 per second, over the mean) and allocated bytes to a benchmark's table.</summary>
public sealed class WithRates : ManualConfig
{
    /// <summary>Adds the columns.</summary>
    public WithRates()
    {
        AddColumn(new RateColumn("GB/s", rated => rated.Bytes), new RateColumn("GOP/s", rated => rated.Operations));
        AddDiagnoser(MemoryDiagnoser.Default);
    }

    sealed class RateColumn(string name, Func<IRated, double> work) : IColumn
    {
        public string Id => name;
        public string ColumnName => name;
        public bool AlwaysShow => true;
        public ColumnCategory Category => ColumnCategory.Custom;
        public int PriorityInCategory => 0;
        public bool IsNumeric => true;
        public UnitType UnitType => UnitType.Dimensionless;
        public string Legend => $"10^9 {(name == "GB/s" ? "bytes" : "operations")} per second, over the mean";
        public bool IsAvailable(Summary summary) => true;
        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            if (summary[benchmarkCase]?.ResultStatistics is not { } statistics)
                return "?";
            var rated = (IRated)Activator.CreateInstance(benchmarkCase.Descriptor.Type)!;
            foreach (BenchmarkDotNet.Parameters.ParameterInstance parameter in benchmarkCase.Parameters.Items)
                benchmarkCase.Descriptor.Type.GetProperty(parameter.Name)!.SetValue(rated, parameter.Value);
            return (work(rated) / statistics.Mean).ToString("N1", CultureInfo.InvariantCulture); // per nanosecond: 10^9 per second
        }
    }
}
