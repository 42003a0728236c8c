namespace Akvam.Machine.Packages;

/// <summary>The folder with the guest's kernel and busybox, filled once.</summary>
/// <remarks>
/// A file is in the cache under its final name or not at all: it is written under a temporary name, flushed, and renamed. One process
/// fills the cache at a time; a killed one leaves nothing that the next cannot use or write again.
/// </remarks>
public sealed class PackageCache
{
    private const int NoSpaceLeft = 28;             // ENOSPC

    private readonly string _folder;

    public PackageCache(string folder) => _folder = folder;

    /// <summary>Where the kernel is, once it is there.</summary>
    public string KernelPath => Path.Combine(_folder, "vmlinuz");

    /// <summary>Where busybox is, once it is there.</summary>
    public string BusyboxPath => Path.Combine(_folder, "busybox");

    /// <summary>The user's cache folder as the XDG base directory specification has it, with our name.</summary>
    /// <param name="environment">Reads an environment variable.</param>
    public static string DefaultFolder(Func<string, string?> environment)
    {
        string? cache = environment("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(cache) || !Path.IsPathRooted(cache))
        {
            string home = environment("HOME") is { Length: > 0 } h ? h : Path.GetTempPath();
            cache = Path.Combine(home, ".cache");
        }

        return Path.Combine(cache, "akvam");
    }

    /// <summary>Whether everything is there already, so that <see cref="Get"/> will not ask the source.</summary>
    public bool IsComplete(bool needKernel) => File.Exists(BusyboxPath) && (!needKernel || File.Exists(KernelPath));

    /// <summary>The files of the cache, got first if they are missing.</summary>
    /// <param name="source">Gets them.</param>
    /// <param name="progress">Hears how it goes on.</param>
    /// <param name="needKernel">False when the user brings a kernel.</param>
    /// <exception cref="MachineException">They cannot be had; the message says what to do.</exception>
    public GuestFiles Get(IPackageSource source, IFetchProgress progress, bool needKernel)
    {
        if (IsComplete(needKernel))
        {
            return new GuestFiles(KernelPath, BusyboxPath);
        }

        try
        {
            Directory.CreateDirectory(_folder);
            using FileStream held = TakeLock(progress);
            if (!File.Exists(BusyboxPath))
            {
                Install(BusyboxPath, source.GetBusybox(_folder, progress));
            }

            if (needKernel && !File.Exists(KernelPath))
            {
                Install(KernelPath, source.GetKernel(_folder, progress));
            }

            source.CleanUp(_folder);
        }
        catch (IOException e) when ((e.HResult & 0xFFFF) == NoSpaceLeft)
        {
            throw new MachineException($"the disk with {_folder} is full; make room or set XDG_CACHE_HOME to another folder", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"cannot write the cache folder {_folder}: {e.Message}", e);
        }

        return new GuestFiles(KernelPath, BusyboxPath);
    }

    private static void Install(string path, byte[] content)
    {
        string temporary = $"{path}.new-{Environment.ProcessId}";
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private FileStream TakeLock(IFetchProgress progress)
    {
        string path = Path.Combine(_folder, "lock");
        bool told = false;
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (File.Exists(path) && (e.HResult & 0xFFFF) != NoSpaceLeft)
            {
                if (!told)
                {
                    progress.Step("another akvam fills the cache; waiting for it");
                    told = true;
                }

                Thread.Sleep(200);
            }
        }
    }
}
