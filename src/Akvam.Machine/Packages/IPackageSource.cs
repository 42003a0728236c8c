namespace Akvam.Machine.Packages;

/// <summary>Somewhere a kernel and a busybox come from.</summary>
public interface IPackageSource
{
    /// <summary>A kernel that boots with a serial console and an initramfs without modules.</summary>
    /// <param name="folder">A folder for what has to survive a killed download.</param>
    /// <param name="progress">Hears how it goes on.</param>
    byte[] GetKernel(string folder, IFetchProgress progress);

    /// <summary>A static busybox.</summary>
    /// <param name="folder">A folder for what has to survive a killed download.</param>
    /// <param name="progress">Hears how it goes on.</param>
    byte[] GetBusybox(string folder, IFetchProgress progress);

    /// <summary>Removes what is no longer needed once all is in the cache.</summary>
    void CleanUp(string folder);
}
