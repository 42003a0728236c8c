using Akvam.Machine.Loading;

namespace Akvam.Machine.Packages;

/// <summary>The host's own kernel and busybox, where there are no packages to be had.</summary>
/// <param name="root">The root of the file system to look in.</param>
public sealed class HostFiles(string root = "/") : IPackageSource
{
    public byte[] GetKernel(string folder, IFetchProgress progress)
    {
        string boot = Path.Combine(root, "boot");
        string[] kernels = Directory.Exists(boot) ? Directory.GetFiles(boot, "vmlinuz*") : [];
        foreach (string kernel in kernels.OrderByDescending(File.GetLastWriteTimeUtc))
        {
            if (TryRead(kernel) is { } bytes && LinuxHeader.IsPresent(bytes))
            {
                progress.Step($"using the host's kernel {kernel}");
                return bytes;
            }
        }

        throw new MachineException(
            $"no kernel: there is no apt-get to get one with and none under {boot} that can be read. Pass one: akvam boot --kernel VMLINUZ [--initrd INITRD]");
    }

    public byte[] GetBusybox(string folder, IFetchProgress progress)
    {
        foreach (string name in (string[])["bin/busybox", "usr/bin/busybox", "bin/busybox-static"])
        {
            string path = Path.Combine(root, name);
            if (TryRead(path) is { } bytes && IsStatic(path, bytes))
            {
                progress.Step($"using the host's {path}");
                return bytes;
            }
        }

        throw new MachineException(
            "no static busybox: there is no apt-get to get one with, nor one on this machine. Pass an initramfs: akvam boot --kernel VMLINUZ --initrd INITRD");
    }

    public void CleanUp(string folder)
    {
    }

    private static byte[]? TryRead(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;            // the next candidate may be readable
        }
    }

    private static bool IsStatic(string path, byte[] bytes)
    {
        try
        {
            ElfImage elf = ElfImage.Parse(path, bytes);
            return elf.Is64Bit && !elf.HasInterpreter;
        }
        catch (MachineException)
        {
            return false;
        }
    }
}
