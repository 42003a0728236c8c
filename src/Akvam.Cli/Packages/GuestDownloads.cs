using Akvam.Machine.Packages;

namespace Akvam.Cli.Packages;

/// <summary>The kernel and busybox of the cache, fetched once.</summary>
internal static class GuestDownloads
{
    /// <summary>The files, after a download with a progress bar if need be.</summary>
    public static GuestFiles Get(bool needKernel)
    {
        var cache = new PackageCache(PackageCache.DefaultFolder(Environment.GetEnvironmentVariable));
        if (cache.IsComplete(needKernel))
        {
            return cache.Get(new HostFiles(), NoProgress.Instance, needKernel);
        }

        IPackageSource source = AptPackages.IsAvailable ? new AptPackages() : new HostFiles();
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
