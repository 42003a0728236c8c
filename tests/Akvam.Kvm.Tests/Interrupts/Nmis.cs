namespace Akvam.KvmTests.Interrupts;

/// <summary>[KVM 4.64] [APM2 8.2.2]</summary>
public sealed class Nmis
{
    // l: out 1, al; jmp l
    private static Guest Create(ReadOnlySpan<byte> handler)
    {
        var guest = new Guest([0xE6, 0x01, 0xEB, 0xFC]);
        guest.Write(0x2000, handler);
        guest.Write(2 * 4, [0x00, 0x20, 0x00, 0x00]);
        return guest;
    }

    [Fact]
    public void AnNmiIsTakenWithInterruptsOffAndBlocksTheNextUntilIret()
    {
        // out 2, al; out 3, al; iret
        using Guest guest = Create([0xE6, 0x02, 0xE6, 0x03, 0xCF]);
        guest.Vcpu.Run();
        guest.Vcpu.Nmi();
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal(1, guest.Vcpu.GetVcpuEvents().nmi.masked);
        guest.Vcpu.Nmi();
        Assert.Equal(1, guest.Vcpu.GetVcpuEvents().nmi.pending);
        Assert.Equal(3, guest.Vcpu.Run().Io.Port);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().nmi.pending);
        Assert.Equal(3, guest.Vcpu.Run().Io.Port);
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().nmi.masked);
    }

    [Fact]
    public void AnNmiFromAnotherThreadReachesALoopingGuest()
    {
        using var guest = new Guest([0xEB, 0xFE]);
        guest.Write(0x2000, [0xE6, 0x02, 0xCF]);
        guest.Write(2 * 4, [0x00, 0x20, 0x00, 0x00]);
        var other = new Thread(() =>
        {
            Thread.Sleep(20);
            guest.Vcpu.Nmi();
        });
        other.Start();
        VcpuExit exit = guest.Vcpu.Run();
        other.Join();
        Assert.Equal(2, exit.Io.Port);
    }

    [Fact]
    public void WhileOneIsServedOnlyOneMoreIsKept()
    {
        // out 2, al; iret
        using Guest guest = Create([0xE6, 0x02, 0xCF]);
        guest.Vcpu.Run();
        guest.Vcpu.Nmi();
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        guest.Vcpu.Nmi();
        guest.Vcpu.Nmi();
        guest.Vcpu.Nmi();
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
    }
}
