using Akvam.Abi;
using Akvam.KvmTests.Time;

namespace Akvam.KvmTests.State;

/// <summary>The whole state goes to a new VM, in the order of each client, and both go on alike; semantics.md section 7.4.</summary>
public sealed class Migration
{
    private const ulong Step = 97;
    private const int Points = 12;

    /// <summary>64-bit: integer, flags, stack, string, SSE and x87 work that never ends.</summary>
    private static ReadOnlySpan<byte> Code =>
    [
        0x48, 0x8D, 0x1C, 0x43,                   // l: lea rbx, [rbx + rax * 2]
        0x48, 0x11, 0xD8,                         // adc rax, rbx
        0x48, 0xC1, 0xC0, 0x07,                   // rol rax, 7
        0x50,                                     // push rax
        0x9C,                                     // pushfq
        0x59,                                     // pop rcx
        0x5A,                                     // pop rdx
        0x66, 0x48, 0x0F, 0x6E, 0xC2,             // movq xmm0, rdx
        0x66, 0x0F, 0xD4, 0xC8,                   // paddq xmm1, xmm0
        0xD9, 0xE8,                               // fld1
        0xDE, 0xC1,                               // faddp
        0x48, 0x89, 0x04, 0x25, 0, 0x60, 0, 0,    // mov [6000h], rax
        0xE6, 0x10,                               // out 10h, al
        0xEB, 0xD8,                               // jmp l
    ];

    public enum Order
    {
        Qemu,
        Selftests,
        Firecracker,
    }

    [Theory]
    [InlineData(Order.Qemu)]
    [InlineData(Order.Selftests)]
    [InlineData(Order.Firecracker)]
    public void BothGoOnAlike(Order order)
    {
        var clock = new ManualClock();
        using var source = new Guest(Code, irqchip: true, new VmOptions { Clock = clock });
        source.Vcpu.SetSregs(LongMode.Sregs(source, cpl: 0) with { cr4 = 0x620 });
        source.Vcpu.SetRegs(source.Vcpu.GetRegs() with { rax = 0x1234_5678_9ABC_DEF0, rbx = 7 });
        source.Vcpu.SetFpu(new kvm_fpu { fcw = 0x37F, mxcsr = 0x1F80 });
        for (int point = 0; point < Points; point++)
        {
            Advance(source.Vcpu, Step);
            using var target = new Guest(Code, irqchip: true, new VmOptions { Clock = clock });
            Copy(source, target, order);
            AssertSame(source, target);
            Advance(source.Vcpu, 1000);
            Advance(target.Vcpu, 1000);
            AssertSame(source, target);
        }
    }

    /// <summary>Runs, answering exits, and lets the last one finish, so that no access is half done.</summary>
    private static void Advance(Vcpu vcpu, ulong instructions)
    {
        ulong end = vcpu.InstructionCount + instructions;
        while (vcpu.InstructionCount < end)
        {
            VcpuExit exit = vcpu.Run(end - vcpu.InstructionCount);
            Assert.Contains(exit.Reason, (uint[])[KvmExit.KVM_EXIT_IO, KvmExit.KVM_EXIT_INTR]);
        }

        vcpu.RunPage.immediate_exit = 1;
        vcpu.Run();
        vcpu.RunPage.immediate_exit = 0;
    }

    private static void Copy(Guest from, Guest to, Order order)
    {
        to.Write(0, from.Read(0, (int)Guest.MemorySize));
        Vcpu source = from.Vcpu, target = to.Vcpu;
        kvm_msr_entry[] msrs;
        using (var kvm = Kvm.Open())
        {
            msrs = [.. kvm.GetMsrIndexList().Select(index => new kvm_msr_entry { index = index })];
        }

        Assert.Equal(msrs.Length, source.GetMsrs(msrs));
        Action sregs = () => target.SetSregs(source.GetSregs()), regs = () => target.SetRegs(source.GetRegs()), xsave = () => target.SetXsave(source.GetXsave()),
            xcrs = () => target.SetXcrs(source.GetXcrs()), events = () => target.SetVcpuEvents(source.GetVcpuEvents()), mpState = () => target.SetMpState(source.GetMpState()),
            debug = () => target.SetDebugregs(source.GetDebugregs()), lapic = () => target.SetLapic(source.GetLapic()), setMsrs = () => Assert.Equal(msrs.Length, target.SetMsrs(msrs));
        Action[] steps = order switch
        {
            Order.Qemu => [sregs, regs, xsave, xcrs, setMsrs, lapic, events, mpState, debug],
            Order.Selftests => [sregs, setMsrs, xcrs, xsave, events, mpState, debug, lapic, regs],
            _ => [mpState, regs, sregs, xsave, xcrs, debug, lapic, setMsrs, events],
        };
        foreach (Action step in steps)
        {
            step();
        }
    }

    private static void AssertSame(Guest one, Guest two)
    {
        AbiAssert.Equal(one.Vcpu.GetRegs(), two.Vcpu.GetRegs());
        AbiAssert.Equal(one.Vcpu.GetSregs(), two.Vcpu.GetSregs());
        AbiAssert.Equal(one.Vcpu.GetXsave(), two.Vcpu.GetXsave());
        AbiAssert.Equal(one.Vcpu.GetVcpuEvents(), two.Vcpu.GetVcpuEvents());
        AbiAssert.Equal(one.Vcpu.GetMpState(), two.Vcpu.GetMpState());
        AbiAssert.Equal(one.Vcpu.GetDebugregs(), two.Vcpu.GetDebugregs());
        AbiAssert.Equal(one.Vcpu.GetLapic(), two.Vcpu.GetLapic());
        Assert.Equal(one.Read(0, (int)Guest.MemorySize), two.Read(0, (int)Guest.MemorySize));
    }
}
