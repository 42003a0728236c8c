using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.KvmTests.Running;

/// <summary>
/// Random state through every setter, then a few instructions: whatever the client and the guest do, the answer is an exit or an errno. AKVAM_FUZZ sets how many
/// rounds, AKVAM_SEED where to start.
/// </summary>
public sealed class RandomState(ITestOutputHelper output)
{
    private const int DefaultRounds = 3_000;
    private const int RoundsPerVm = 50;
    private const ulong Budget = 40;

    [Fact]
    public void IsNeverMoreThanAnErrorOrAnExit()
    {
        int rounds = Setting("AKVAM_FUZZ", DefaultRounds);
        int seed = Setting("AKVAM_SEED", 1);
        int refused = 0, taken = 0;
        HashSet<uint> seen = [];
        for (int round = 0; round < rounds; round += RoundsPerVm)
        {
            output.WriteLine($"seed {seed + round}");
            var random = new Random(seed + round);
            using var guest = new Guest(RandomBytes(random, 64), irqchip: random.Next(2) == 0);
            guest.Write(0, RandomBytes(random, (int)Guest.MemorySize));
            guest.Vm.MapMemory(1 << 16, 0, guest.Vm.AllocateMemory(0x4_0000));
            for (int i = 0; i < RoundsPerVm; i++)
            {
                bool ok = Round(random, guest, seen);
                taken += ok ? 1 : 0;
                refused += ok ? 0 : 1;
            }
        }

        // All of these happen, or the test tests nothing.
        Assert.Superset(new HashSet<uint> { KvmExit.KVM_EXIT_IO, KvmExit.KVM_EXIT_MMIO, KvmExit.KVM_EXIT_SHUTDOWN, KvmExit.KVM_EXIT_INTR, KvmExit.KVM_EXIT_DEBUG }, seen);
        Assert.True(taken > rounds / 10, $"{taken} states taken of {rounds}");
        Assert.True(refused > rounds / 100, $"{refused} states refused of {rounds}");
    }

    private static bool Round(Random random, Guest guest, HashSet<uint> seen)
    {
        Vcpu vcpu = guest.Vcpu;
        bool all = true;
        all &= Try(() => vcpu.SetSregs(Sregs(random, vcpu.GetSregs())));
        all &= Try(() => vcpu.SetRegs(Regs(random)));
        all &= random.Next(3) != 0 || Try(() => vcpu.SetVcpuEvents(Events(random)));
        all &= random.Next(3) != 0 || Try(() => vcpu.SetMpState(new kvm_mp_state { mp_state = (uint)random.Next(6) }));
        all &= random.Next(4) != 0 || Try(() => vcpu.SetDebugregs(new kvm_debugregs { dr6 = (uint)random.Next(), dr7 = (uint)random.Next() }));
        all &= random.Next(4) != 0 || Try(() => vcpu.SetFpu(Random<kvm_fpu>(random)));
        all &= random.Next(4) != 0 || Try(() => vcpu.SetXsave(Random<kvm_xsave>(random)));
        all &= random.Next(4) != 0 || Try(() => vcpu.SetXcrs(new kvm_xcrs { nr_xcrs = (uint)random.Next(18) }));
        all &= random.Next(4) != 0 || Try(() => vcpu.SetLapic(Random<kvm_lapic_state>(random)));
        all &= random.Next(4) != 0 || Try(() => vcpu.SetGuestDebug(new kvm_guest_debug { control = (uint)random.Next() & 0x3F_0003, arch = Random<kvm_guest_debug_arch>(random) }));
        if (random.Next(4) == 0)
        {
            vcpu.SetMsrs([new kvm_msr_entry { index = Msr(random), data = (ulong)random.NextInt64() }]);
        }

        if (random.Next(8) == 0)
        {
            vcpu.Nmi();
        }

        if (random.Next(8) == 0)
        {
            vcpu.Smi();
        }

        all &= random.Next(8) != 0 || Try(() => vcpu.Interrupt((uint)random.Next(300)));
        for (int i = 0; i < 4; i++)
        {
            all &= Try(() => seen.Add(RunOnce(random, vcpu)));
        }

        return all;
    }

    private static uint RunOnce(Random random, Vcpu vcpu)
    {
        // A halted or waiting processor with controllers of KVM's would sleep: a kick makes it look and come back.
        if (vcpu.GetMpState().mp_state != KvmState.KVM_MP_STATE_RUNNABLE)
        {
            vcpu.Kick();
        }

        using var timer = new Timer(_ => vcpu.Kick(), null, 200, Timeout.Infinite);
        VcpuExit exit = vcpu.Run(Budget);
        switch (exit.Reason)
        {
            case KvmExit.KVM_EXIT_IO:
                random.NextBytes(exit.Io.Data);
                break;
            case KvmExit.KVM_EXIT_MMIO:
                random.NextBytes(exit.Mmio.Data);
                break;
        }

        return exit.Reason;
    }

    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (KvmException)
        {
            return false;
        }
    }

    private static int Setting(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : otherwise;

    private static T Random<T>(Random random)
        where T : unmanaged
    {
        var value = default(T);
        random.NextBytes(MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    private static byte[] RandomBytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static kvm_regs Regs(Random random)
    {
        kvm_regs regs = Random<kvm_regs>(random);
        if (random.Next(4) != 0)
        {
            regs.rip &= 0xFFFF;
            regs.rsp &= 0xFFFF;
            regs.rsi &= 0xFFFF;
            regs.rdi &= 0xFFFF;
        }

        return regs;
    }

    private static kvm_sregs Sregs(Random random, kvm_sregs now)
    {
        kvm_sregs wild = Random<kvm_sregs>(random);
        kvm_sregs sregs = random.Next(10) == 0 ? wild : now;
        if (random.Next(2) == 0)
        {
            sregs.cs = wild.cs;
            sregs.ss = wild.ss;
            sregs.cs.l = 0;
            sregs.cs.@base &= 0xFFFF;
        }

        if (random.Next(2) == 0)
        {
            (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.tr, sregs.ldt) = (wild.ds, wild.es, wild.fs, wild.gs, wild.tr, wild.ldt);
        }

        if (random.Next(2) == 0)
        {
            sregs.gdt.@base = wild.gdt.@base & 0xFFFF;
            sregs.idt.@base = wild.idt.@base & 0xFFFF;
        }

        switch (random.Next(5))
        {
            case 0:
                sregs.cr0 = 0x10;
                sregs.efer = 0;
                break;
            case 1:
                sregs.cr0 = 0x11;
                sregs.efer = 0;
                break;
            case 2:
                sregs.cr0 = 0x8000_0011;
                sregs.cr4 = (ulong)random.Next(64);
                sregs.cr3 = (ulong)random.Next(16) << 12;
                sregs.efer = 0;
                break;
            case 3:
                sregs.cr0 = 0x8001_0033;
                sregs.cr4 = 0x20 | wild.cr4 & 0x37_07B0;
                sregs.cr3 = (ulong)random.Next(16) << 12;
                sregs.efer = 0xD01;
                sregs.cs.l = (byte)random.Next(2);
                break;
            default:
                sregs.cr0 = wild.cr0 & 0xFFFF_FFFF;
                break;
        }

        return sregs;
    }

    private static kvm_vcpu_events Events(Random random)
    {
        kvm_vcpu_events events = Random<kvm_vcpu_events>(random);
        events.flags &= 0xF;
        events.exception.nr &= 0x1F;
        return events;
    }

    private static uint Msr(Random random) => random.Next(4) switch
    {
        0 => (uint)random.Next(0x1000),
        1 => 0xC000_0080 + (uint)random.Next(0x100),
        2 => 0x800 + (uint)random.Next(0x100),
        _ => 0x4B56_4D00 + (uint)random.Next(4),
    };
}
