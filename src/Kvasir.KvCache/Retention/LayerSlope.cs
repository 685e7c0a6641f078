namespace Kvasir.KvCache.Retention;

/// <summary>
/// Budgets on a straight line from the first layer to the last (PyramidKV with its β = 20). Whole numbers by largest remainder: the
/// published
/// code rounds steps down and overspends.
/// </summary>
static class LayerSlope
{
    const double Steepness = 20; // β

    /// <summary>Positions of each layer's heads beside the recent ones, not yet whole.</summary>
    /// <param name="schedule">Flat, unless it is the pyramid or the funnel.</param>
    /// <param name="layers">Layers that select.</param>
    /// <param name="mean">Of all layers, beside the recent ones.</param>
    /// <param name="most">That a layer can have: then the line is flatter.</param>
    public static double[] Line(RetentionSchedule schedule, int layers, double mean, double most)
    {
        var line = new double[layers];
        double first = Math.Min(2 * mean - mean / Steepness, Math.Max(most, mean)), last = 2 * mean - first;
        bool isPyramid = schedule == RetentionSchedule.Pyramid, isFlat = layers == 1 || !isPyramid && schedule != RetentionSchedule.Funnel;
        for (int i = 0; i < layers; i++)
        {
            int step = isPyramid ? i : layers - 1 - i;
            line[i] = isFlat ? mean : (first * (layers - 1 - step) + last * step) / (layers - 1);
        }
        return line;
    }
}
