using Akvam.Abi;

namespace Akvam.KvmTests.Time;

/// <summary>A guest that waits in a loop with PAUSE lets the host sleep, and is woken for what is asked of it.</summary>
public sealed class SpinningGuests
{
    /// <summary>pause; jmp to it.</summary>
    private static readonly byte[] s_loop = [0xF3, 0x90, 0xEB, 0xFC];

    /// <summary>Longer than anybody waits in a test that passes.</summary>
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    /// <summary>The host's time is looked at after each 64 PAUSEs. 1,024 close together are a loop; and where much time passes between them there is none.</summary>
    [Theory]
    [InlineData(1_000, 16)]
    [InlineData(30_000, 0)]
    public void TheHostSleepsWhenItIsALoop(ulong nanoseconds, ulong sleeps)
    {
        const ulong Looks = 32;
        using var guest = new Guest(s_loop, options: new VmOptions { Clock = new TickingClock(nanoseconds) });
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(Looks * 64 * 2).Reason);
        Assert.Equal(sleeps, Statistic(guest, "pause_sleeps"));
    }

    [Fact]
    public async Task AKickEndsTheSleep()
    {
        using Guest guest = Create();
        Task<uint> run = Start(guest);
        guest.Vcpu.Kick();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, await run);
        Assert.Equal(1ul, Statistic(guest, "pause_wakeups"));
    }

    /// <summary>It is an NMI, whose handler writes to a port.</summary>
    [Fact]
    public async Task AnInterruptEndsTheSleep()
    {
        const uint Nmi = 4 << 8;
        const ulong Handler = 0x2000;
        using Guest guest = Create();
        guest.Write(Handler, [0xE6, 0x03]); // out 3, al
        guest.Write(2 * 4, [0x00, 0x20, 0x00, 0x00]);
        Task<uint> run = Start(guest);
        Assert.True(guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = Nmi }));
        Assert.Equal(KvmExit.KVM_EXIT_IO, await run);
        Assert.Equal(1ul, Statistic(guest, "pause_wakeups"));
    }

    private static Guest Create() => new(s_loop, irqchip: true, options: new VmOptions { Clock = new TickingClock(1_000), PauseSleep = s_long });

    /// <summary>Runs it in another thread; it sleeps, or is about to.</summary>
    private static Task<uint> Start(Guest guest)
    {
        Task<uint> run = Task.Factory.StartNew(() => guest.Vcpu.Run().Reason, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (!SpinWait.SpinUntil(() => Statistic(guest, "pause_sleeps") != 0, s_long))
        {
            guest.Vcpu.Kick();
            Assert.Fail("the guest never sleeps");
        }

        return run;
    }

    private static ulong Statistic(Guest guest, string name) => guest.Vcpu.GetStats().Single(s => s.Name == name).Value;
}
