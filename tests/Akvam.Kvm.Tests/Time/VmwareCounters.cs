namespace Akvam.KvmTests.Time;

/// <summary>The counters of VMware's interface, which RDPMC reads where it is offered, and which are not there otherwise.</summary>
public sealed class VmwareCounters
{
    private const uint HostTsc = 0x10000, RealTime = 0x10001, ApparentTime = 0x10002;

    [Theory]
    [InlineData(HostTsc, 5_000_700u)]
    [InlineData(RealTime, 5_000_700u)]
    [InlineData(ApparentTime, 700u)]
    public void TheyAreTimes(uint counter, uint expected) => Assert.Equal(expected, Read(counter, offered: true));

    [Theory]
    [InlineData(ApparentTime + 1, true)]
    [InlineData(HostTsc - 1, true)]
    [InlineData(0u, true)]
    [InlineData(HostTsc, false)]
    public void OthersAreNot(uint counter, bool offered) => Assert.Null(Read(counter, offered));

    /// <returns>Null: #GP.</returns>
    private static uint? Read(uint counter, bool offered)
    {
        // mov ecx, counter; rdpmc; out 1, eax -- and for #GP: out 2, al
        var clock = new ManualClock { NowNs = 5_000_000 };
        using var guest = new Guest(
            [0x66, 0xB9, (byte)counter, (byte)(counter >> 8), (byte)(counter >> 16), 0, 0x0F, 0x33, 0x66, 0xE7, 0x01],
            options: new VmOptions { Clock = clock, VmwareBackdoor = offered });
        guest.Write(13 * 4, [0x00, 0x20, 0x00, 0x00]);
        guest.Write(0x2000, [0xE6, 0x02]);
        clock.NowNs += 700;
        VcpuExit exit = guest.Vcpu.Run();
        return exit.Io.Port == 1 ? exit.Io.Value : null;
    }
}
