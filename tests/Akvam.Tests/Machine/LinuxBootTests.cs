using System.Text;
using Akvam.Machine;
using Akvam.Machine.Devices;
using Akvam.Machine.Initramfs;
using Akvam.Machine.Loading;
using Akvam.Machine.Packages;

namespace Akvam.Tests.Machine;

/// <summary>Debian's own kernel on the whole machine, from the loader to the power switch.</summary>
public sealed class LinuxBootTests
{
    private const byte Xon = 0x11;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private readonly SerialQueue _input = new() { Held = true };
    private readonly StringBuilder _output = new();

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData(1)]
    [InlineData(2)]
    public async Task DebianBootsToAShellAndSwitchesOff(int cpus)
    {
        GuestFiles files = Files();
        using var pc = new Pc(new PcOptions { MemoryMegabytes = 256, Cpus = cpus, SerialInput = _input, SerialOutput = Take });
        byte[] initrd = InitramfsBuilder.Build(GuestImage.ReadFile(files.Busybox));
        pc.LoadLinux(GuestImage.Open(files.Kernel), new LinuxBoot("console=ttyS0 panic=-1 quiet cryptomgr.notests akvam.batch", initrd, Seed: new byte[64]));
        foreach (byte b in "echo cpus=$(nproc) $(uname -sm) $((6 * 7)); poweroff -f\n"u8)
        {
            _input.Add(b, TestContext.Current.CancellationToken);
        }

        pc.Start();
        MachineEnd end = await Task.Run(pc.Wait, TestContext.Current.CancellationToken).WaitAsync(s_limit, TestContext.Current.CancellationToken);
        Assert.True(end.Kind == MachineEndKind.PowerOff, $"{end}{Environment.NewLine}{_output}");
        Assert.Contains($"cpus={cpus} Linux x86_64 42", _output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>What "akvam boot" has in its cache, got now if need be.</summary>
    private static GuestFiles Files()
    {
        var cache = new PackageCache(PackageCache.DefaultFolder(Environment.GetEnvironmentVariable));
        try
        {
            return cache.Get(AptPackages.IsAvailable ? new AptPackages() : new HostFiles(), new Silent(), needKernel: true);
        }
        catch (MachineException e)
        {
            Assert.Skip($"no kernel to boot: {e.Message}");
            throw;
        }
    }

    private void Take(byte value)
    {
        if (value == Xon)
        {
            _input.Held = false;
        }
        else
        {
            _output.Append((char)value);
        }
    }

    private sealed class Silent : IFetchProgress
    {
        public void Step(string what)
        {
        }

        public void Percent(double done)
        {
        }
    }
}
