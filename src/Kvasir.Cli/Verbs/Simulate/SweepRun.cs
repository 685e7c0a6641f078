using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>Replays a trace on all fleets of a sweep, as many at a time as there are cores.</summary>
static class SweepRun
{
    public static IReadOnlyList<SweepPoint> Run(Trace trace, SimulationOptions options, Sweep sweep,
        IProgress<double> progress, CancellationToken cancellation)
    {
        ImmutableArray<SweepValue>[] points = [.. sweep.Points()];
        var results = new SweepPoint[points.Length];
        var shared = new SharedProgress(progress, points.Length);
        try
        {
            Parallel.For(0, points.Length,
                new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellation }, i =>
            {
                SimulationOptions fleet = points[i].Aggregate(options, (changed, value) => value.Apply(changed));
                results[i] = Point(sweep, points[i],
                    Outcome.From(Simulator.Run(trace, fleet, shared.Part(), cancellation), fleet, trace.Requests[^1].Arrival.TotalSeconds));
            });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!); // the first says what is wrong
        }
        return results;
    }

    static SweepPoint Point(Sweep sweep, ImmutableArray<SweepValue> values, Outcome outcome) => new(
        sweep.Dimensions.Zip(values).ToDictionary(pair => pair.First.Name, pair => pair.Second.Text),
        sweep.Dimensions.Zip(values).Where(pair => pair.Second.Number > 0)
            .ToDictionary(pair => pair.First.Name, pair => pair.Second.Number),
        outcome.TokenHitRate, outcome.BlockHitRate, outcome.InfiniteBlockHitRate, outcome.BeladyBlockHitRate, outcome.TtftS, outcome.SavedS,
        outcome.MoneySaved, outcome.Load);

    /// <summary>Parts that go on at the same time, as one share of the whole.</summary>
    sealed class SharedProgress(IProgress<double> whole, int parts)
    {
        readonly Lock _lock = new();
        double _done;

        public IProgress<double> Part() => new OnePart(this);

        void Add(double more)
        {
            lock (_lock)
                whole.Report((_done += more) / parts);
        }

        sealed class OnePart(SharedProgress all) : IProgress<double>
        {
            double _last;

            public void Report(double value)
            {
                all.Add(value - _last);
                _last = value;
            }
        }
    }
}
