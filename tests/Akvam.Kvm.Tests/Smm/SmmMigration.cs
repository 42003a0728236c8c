using Akvam.Abi;
using Akvam.Cpu;

namespace Akvam.KvmTests.Smm;

/// <summary>
/// Saved at every instruction boundary of a program that SMIs and an NMI interrupt, and restored in the order of each client, it ends as if it had not been;
/// semantics.md section 7.4, invariant 5. And so does one whose client takes the SMM flag away at every boundary and gives it back, or gives it and takes it away.
/// </summary>
public sealed class SmmMigration
{
    private const int Steps = 46, StepsWithTraps = 90, FirstSmi = 4, Nmi = 9, SecondSmi = 13, ThirdSmi = 17;

    /// <summary>Instructions before the first step and after the last, all at once: enough for the translator to make host code of the program's loop.</summary>
    private const ulong Around = 500;

    /// <summary>l: inc rax; add [5000h], rax; rol rbx, 3; xor rbx, rax; mov [5008h], rbx; jmp l.</summary>
    private static ReadOnlySpan<byte> Code =>
    [
        0x48, 0xFF, 0xC0, 0x48, 0x01, 0x04, 0x25, 0, 0x50, 0, 0, 0x48, 0xC1, 0xC3, 0x03, 0x48, 0x31, 0xC3, 0x48, 0x89, 0x1C, 0x25, 8, 0x50, 0, 0, 0xEB, 0xE4,
    ];

    /// <summary>inc word cs:[9000h]; mov ax, cs:[0FF78h]; add cs:[9002h], ax; add word cs:[0FFF8h], 100h (the saved RAX); std; rsm.</summary>
    private static ReadOnlySpan<byte> Handler =>
    [
        0x2E, 0xFF, 0x06, 0x00, 0x90, 0x2E, 0xA1, 0x78, 0xFF, 0x2E, 0x01, 0x06, 0x02, 0x90, 0x2E, 0x81, 0x06, 0xF8, 0xFF, 0x00, 0x01, 0xFD, 0x0F, 0xAA,
    ];

    public enum Order
    {
        Qemu,
        Selftests,
        Firecracker,
    }

    [Theory]
    [InlineData(Order.Qemu, false, EngineKind.Interpreter)]
    [InlineData(Order.Selftests, false, EngineKind.Interpreter)]
    [InlineData(Order.Firecracker, false, EngineKind.Interpreter)]
    [InlineData(Order.Qemu, false, EngineKind.Translator)]
    [InlineData(Order.Selftests, false, EngineKind.Translator)]
    [InlineData(Order.Firecracker, false, EngineKind.Translator)]
    [InlineData(Order.Qemu, true, EngineKind.Interpreter)]
    [InlineData(Order.Firecracker, true, EngineKind.Interpreter)]
    public void SavingAtEveryBoundaryOfAnSmiChangesNothing(Order order, bool traps, EngineKind engine)
    {
        // With traps the program runs in single steps, so that a #DB waits behind each SMI while the handler runs.
        int steps = traps ? StepsWithTraps : Steps;
        using Guest reference = Start(traps, EngineKind.Interpreter);
        Finish(reference, 0, steps);
        Assert.Equal(3, SmmGuest.ReadSmram(reference)[0x3_9000]);
        Assert.Equal(traps, reference.Vcpu.GetRegs().rdx != 0);
        for (int point = 0; point < steps; point++)
        {
            using Guest source = Start(traps, engine);
            Advance(source, 0, point);
            AssertTranslated(source, engine);
            using Guest target = Make(engine);
            Copy(source, target, order);
            AssertSame(source, target);
            Finish(target, point, steps);
            AssertTranslated(target, engine);
            AssertSame(reference, target);
            Assert.Equal(reference.Read(0, (int)Guest.MemorySize), target.Read(0, (int)Guest.MemorySize));
            Assert.Equal(SmmGuest.ReadSmram(reference), SmmGuest.ReadSmram(target));
        }
    }

    [Theory]
    [InlineData(false, EngineKind.Interpreter)]
    [InlineData(false, EngineKind.Translator)]
    [InlineData(true, EngineKind.Interpreter)]
    public void G10_TogglingTheFlagThereAndBackAtEveryBoundaryChangesNothing(bool traps, EngineKind engine)
    {
        int steps = traps ? StepsWithTraps : Steps;
        using Guest reference = Start(traps, EngineKind.Interpreter);
        Finish(reference, 0, steps);
        for (int point = 0; point < steps; point++)
        {
            using Guest guest = Start(traps, engine);
            Advance(guest, 0, point);
            kvm_vcpu_events events = guest.Vcpu.GetVcpuEvents(), other = events;
            other.smi.smm ^= 1;
            guest.Vcpu.SetVcpuEvents(other);
            Assert.Equal(other.smi.smm, guest.Vcpu.GetVcpuEvents().smi.smm);
            guest.Vcpu.SetVcpuEvents(events);
            Finish(guest, point, steps);
            AssertTranslated(guest, engine);
            AssertSame(reference, guest);
            Assert.Equal(reference.Read(0, (int)Guest.MemorySize), guest.Read(0, (int)Guest.MemorySize));
            Assert.Equal(SmmGuest.ReadSmram(reference), SmmGuest.ReadSmram(guest));
        }
    }

    private static Guest Make(EngineKind engine) => SmmGuest.Create(Code, Handler, irqchip: true, new VmOptions { Engine = engine, TranslateAfter = 0 });

    private static void AssertTranslated(Guest guest, EngineKind engine) =>
        Assert.Matches(engine == EngineKind.Interpreter ? "^interpreter" : @"\n  [1-9]\d* blocks translated", guest.Vcpu.EngineReport.ToString());

    private static Guest Start(bool traps, EngineKind engine)
    {
        Guest guest = Make(engine);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        sregs.gdt = new kvm_dtable { @base = 0x6000, limit = 0x1F };
        sregs.idt = new kvm_dtable { @base = 0x6100, limit = 0xFF };
        guest.Write(0x6008, [0, 0, 0, 0, 0, 0x9B, 0x20, 0, 0xFF, 0xFF, 0, 0, 0, 0x93, 0xCF, 0]);
        guest.Write(0x6120, [0x00, 0x70, 0x08, 0, 0, 0x8E, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

        // The NMI's handler: inc rcx; nop; iretq.
        guest.Write(0x7000, [0x48, 0xFF, 0xC1, 0x90, 0x48, 0xCF]);
        guest.Vcpu.SetSregs(sregs);

        // That of #DB: inc rdx; iretq.
        guest.Write(0x6110, [0x00, 0x71, 0x08, 0, 0, 0x8E, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        guest.Write(0x7100, [0x48, 0xFF, 0xC2, 0x48, 0xCF]);
        kvm_regs regs = guest.Vcpu.GetRegs();
        guest.Vcpu.SetRegs(regs with { rflags = regs.rflags | (traps ? 0x100ul : 0) });
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(Around).Reason);
        return guest;
    }

    private static void Finish(Guest guest, int from, int to)
    {
        Advance(guest, from, to);
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(Around).Reason);
    }

    /// <summary>
    /// Instruction by instruction; before some of them an event is asked for, so that a save can fall between asking and taking, too. The NMI is latched in the first
    /// handler, the second SMI interrupts the NMI handler, the third is latched in the second.
    /// </summary>
    private static void Advance(Guest guest, int from, int to)
    {
        for (int step = from; step < to; step++)
        {
            switch (step)
            {
                case FirstSmi or SecondSmi or ThirdSmi:
                    guest.Vcpu.Smi();
                    break;
                case Nmi:
                    guest.Vcpu.Nmi();
                    break;
                default:
                    VcpuExit exit = guest.Vcpu.Run(1);
                    Assert.Equal(KvmExit.KVM_EXIT_INTR, exit.Reason);
                    Assert.Equal(exit.InSmm, guest.Vcpu.GetVcpuEvents().smi.smm != 0);
                    break;
            }
        }
    }

    private static void Copy(Guest from, Guest to, Order order)
    {
        to.Write(0, from.Read(0, (int)Guest.MemorySize));
        to.Vm.WriteMemory(0, SmmGuest.ReadSmram(from), space: 1);
        Vcpu source = from.Vcpu, target = to.Vcpu;
        kvm_msr_entry[] msrs = [new() { index = 0x9E }, new() { index = 0x34 }, new() { index = 0xC000_0080 }];
        kvm_vcpu_events savedEvents = source.GetVcpuEvents();
        Action sregs = () => target.SetSregs(source.GetSregs()), regs = () => target.SetRegs(source.GetRegs()), events = () => target.SetVcpuEvents(savedEvents),
            mpState = () => target.SetMpState(source.GetMpState()), debug = () => target.SetDebugregs(source.GetDebugregs()), lapic = () => target.SetLapic(source.GetLapic()),
            setMsrs = () => Assert.Equal(msrs.Length, target.SetMsrs(msrs)), xsave = () => target.SetXsave(source.GetXsave()), xcrs = () => target.SetXcrs(source.GetXcrs());
        Assert.Equal(msrs.Length, source.GetMsrs(msrs));
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
        AbiAssert.Equal(one.Vcpu.GetVcpuEvents(), two.Vcpu.GetVcpuEvents());
        AbiAssert.Equal(one.Vcpu.GetMpState(), two.Vcpu.GetMpState());
        AbiAssert.Equal(one.Vcpu.GetDebugregs(), two.Vcpu.GetDebugregs());
    }
}
