using Akvam.Machine.Packages;

namespace Akvam.Cli.Packages;

/// <summary>The kernel and busybox of the cache, fetched once.</summary>
internal static class GuestDownloads
{
    /// <summary>The files, after a download with a progress bar if need be.</summary>
    /// <param name="needKernel">Busybox alone will not do.</param>
    /// <param name="kernel">The package of another kernel than the usual one, which has a folder of its own in the cache; or null.</param>
    public static GuestFiles Get(bool needKernel, string? kernel = null)
    {
        string folder = PackageCache.DefaultFolder(Environment.GetEnvironmentVariable);
        var cache = new PackageCache(kernel is null ? folder : Path.Combine(folder, kernel));
        if (cache.IsComplete(needKernel))
        {
            return cache.Get(new HostFiles(), NoProgress.Instance, needKernel);
        }

        IPackageSource source = !AptPackages.IsAvailable ? new HostFiles() : kernel is null ? new AptPackages() : new AptPackages(kernel);
        return FetchProgressBar.Show(progress => cache.Get(source, progress, needKernel));
    }

    private sealed class NoProgress : IFetchProgress
    {
        public static readonly NoProgress Instance = new();

        public void Step(string what)
        {
        }

        public void Percent(double done)
        {
        }
    }
}
