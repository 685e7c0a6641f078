using BenchmarkDotNet.Running;

// dotnet run -c Release --project bench/Kvasir.Benchmarks -- --filter '*'
BenchmarkSwitcher.FromAssembly(typeof(Kvasir.Benchmarks.MatMulBenchmark).Assembly).Run(args);
