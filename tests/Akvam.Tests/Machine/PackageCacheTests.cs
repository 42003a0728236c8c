using Akvam.Machine;
using Akvam.Machine.Initramfs;
using Akvam.Machine.Packages;

namespace Akvam.Tests.Machine;

public sealed class PackageCacheTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("/x/cache", "/somewhere/u", "/x/cache/akvam")]
    [InlineData("", "/somewhere/u", "/somewhere/u/.cache/akvam")]
    [InlineData("relative", "/somewhere/u", "/somewhere/u/.cache/akvam")]
    public void TheFolderFollowsXdg(string xdg, string home, string expected)
    {
        Assert.Equal(expected, PackageCache.DefaultFolder(name => name == "XDG_CACHE_HOME" ? xdg : home));
    }

    [Fact]
    public void FilesAreGotOnceAndWholly()
    {
        var cache = new PackageCache(_folder);
        var source = new Source();
        GuestFiles files = cache.Get(source, new Silent(), needKernel: true);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(files.Kernel));
        Assert.Equal([4, 5], File.ReadAllBytes(files.Busybox));
        cache.Get(source, new Silent(), needKernel: true);
        Assert.Equal("busybox kernel clean", string.Join(' ', source.Calls));
    }

    [Fact]
    public void AFailureLeavesNoHalfFileAndTheNextTryGoesOn()
    {
        var cache = new PackageCache(_folder);
        var source = new Source { Fails = true };
        Assert.Throws<MachineException>(() => cache.Get(source, new Silent(), needKernel: true));
        Assert.Equal(["busybox", "lock"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
        source.Fails = false;
        cache.Get(source, new Silent(), needKernel: true);
        Assert.Equal("busybox kernel kernel clean", string.Join(' ', source.Calls));
    }

    [Fact]
    public async Task TwoAtOnceFillItOnce()
    {
        var source = new Source { Delay = 100 };
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => new PackageCache(_folder).Get(source, new Silent(), needKernel: true))));
        Assert.Single(source.Calls, "kernel");
    }

    [Fact]
    public void AFolderThatCannotBeMadeIsSaidSo()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "x");
        var e = Assert.Throws<MachineException>(() => new PackageCache(Path.Combine(file, "sub")).Get(new Source(), new Silent(), needKernel: true));
        Assert.Contains("cannot write the cache folder", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("E: Failed to fetch http://deb.example/x  Temporary failure resolving 'deb.example'", "mirror cannot be reached")]
    [InlineData("E: Write error - write (28: No space left on device)", "disk with the cache folder is full")]
    [InlineData("E: Something else", "E: Something else")]
    public void AptTroubleBecomesOneLine(string error, string message)
    {
        var apt = new AptPackages((_, _, _, _) => new ToolResult(100, error));
        var e = Assert.Throws<MachineException>(() => apt.GetKernel(_folder, new Silent()));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void WithoutAptOrKernelTheMessageSaysWhatToPass()
    {
        var e = Assert.Throws<MachineException>(() => new HostFiles(_folder).GetKernel(_folder, new Silent()));
        Assert.Contains("akvam boot --kernel", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CpioHasTheNewcLayout()
    {
        var cpio = new CpioWriter();
        cpio.AddFile("ab", "12345"u8, 0x1A4);
        byte[] archive = cpio.ToArray();
        string text = System.Text.Encoding.ASCII.GetString(archive);
        Assert.Equal(0, archive.Length % 4);
        Assert.StartsWith("07070100000001000081A400000000000000000000000100000000000000050000000000000000000000000000000000000003000000", text, StringComparison.Ordinal);
        Assert.Equal("ab\0", text.Substring(110, 3));
        Assert.Equal("12345\0\0\0", text.Substring(116, 8));
        Assert.Contains("TRAILER!!!", text, StringComparison.Ordinal);
    }

    [Fact]
    public void TheInitramfsHoldsBusyboxAndOurInit()
    {
        string text = System.Text.Encoding.Latin1.GetString(InitramfsBuilder.Build("BUSYBOX"u8));
        Assert.Contains("BUSYBOX", text, StringComparison.Ordinal);
        Assert.Contains("#!/bin/sh", text, StringComparison.Ordinal);
        Assert.Contains("bin/poweroff", text, StringComparison.Ordinal);
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

    private sealed class Source : IPackageSource
    {
        public List<string> Calls { get; } = [];

        public bool Fails { get; set; }

        public int Delay { get; init; }

        public byte[] GetKernel(string folder, IFetchProgress progress)
        {
            Calls.Add("kernel");
            Thread.Sleep(Delay);
            return Fails ? throw new MachineException("no") : [1, 2, 3];
        }

        public byte[] GetBusybox(string folder, IFetchProgress progress)
        {
            Calls.Add("busybox");
            return [4, 5];
        }

        public void CleanUp(string folder) => Calls.Add("clean");
    }
}
