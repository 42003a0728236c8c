using System.Buffers.Binary;
using Akvam.Abi;
using Akvam.Cpu;

namespace Akvam.KvmTests.Smm;

/// <summary>What a client sees of SMM; semantics.md sections 3.4, 6.1, 7.2 and 8. [KVM 4.119]</summary>
public sealed class SmmRules
{
    private const uint Smm = KvmState.KVM_VCPUEVENT_VALID_SMM;

    /// <summary>l: inc ax; jmp l.</summary>
    private static ReadOnlySpan<byte> Loop => [0x40, 0xEB, 0xFD];

    /// <summary>rsm.</summary>
    private static ReadOnlySpan<byte> Return => [0x0F, 0xAA];

    /// <summary>mov word cs:[0FF5Ch], 1 (CR0 above bit 31); rsm.</summary>
    private static ReadOnlySpan<byte> Fail => [0x2E, 0xC7, 0x06, 0x5C, 0xFF, 0x01, 0x00, 0x0F, 0xAA];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Seed2_1_Seed2_2_Seed2_11_AFailedRsmIsAShutdownOutsideSmm(byte masked)
    {
        using Guest guest = SmmGuest.Create(Loop, Fail);
        var events = new kvm_vcpu_events { flags = Smm };
        events.nmi.masked = masked;
        guest.Vcpu.SetVcpuEvents(events);
        guest.Vcpu.Smi();
        VcpuExit exit = guest.Vcpu.Run(100);
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, exit.Reason);
        Assert.False(exit.InSmm);
        events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(0, events.smi.smm);
        Assert.Equal(0, events.smi.smm_inside_nmi);
        Assert.Equal(masked, events.nmi.masked);
        Assert.Equal(KvmState.KVM_MP_STATE_RUNNABLE, guest.Vcpu.GetMpState().mp_state);
    }

    [Theory]
    [InlineData(ProcessorQuirks.None, 1)]
    [InlineData(ProcessorQuirks.KvmNmiRsm, 0)]
    public void Seed0_15_ARsmBehindAnIretBlocksNmisAgainUnlessTheClientWantsItAsKvm(ProcessorQuirks quirks, byte blocked)
    {
        // The SMI comes in an NMI handler; its own: pushf; push cs; push 8006h; iret; rsm.
        using Guest guest = SmmGuest.Create(Loop, [0x9C, 0x0E, 0x68, 0x06, 0x80, 0xCF, 0x0F, 0xAA], options: new VmOptions { Quirks = quirks });
        var events = new kvm_vcpu_events { flags = Smm };
        events.nmi.masked = 1;
        guest.Vcpu.SetVcpuEvents(events);
        guest.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(4).Reason);
        Assert.Equal((1, 0), (guest.Vcpu.GetVcpuEvents().smi.smm, guest.Vcpu.GetVcpuEvents().nmi.masked));
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(1).Reason);
        Assert.Equal((0, blocked), (guest.Vcpu.GetVcpuEvents().smi.smm, guest.Vcpu.GetVcpuEvents().nmi.masked));
    }

    [Theory]
    [InlineData(ProcessorQuirks.None, 1)]
    [InlineData(ProcessorQuirks.KvmInitSmi, 0)]
    public void D5_AnSmiComesBeforeAnInitUnlessTheClientWantsItAsKvm(ProcessorQuirks quirks, byte smm)
    {
        using Guest guest = SmmGuest.Create(Loop, Return, irqchip: true, new VmOptions { Quirks = quirks });
        var events = new kvm_vcpu_events { flags = Smm };
        events.smi.pending = events.smi.latched_init = 1;
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(0).Reason);
        events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal((smm, 0, smm), (events.smi.smm, events.smi.pending, events.smi.latched_init));
    }

    [Fact]
    public void Seed2_4_AfterTheShutdownAnInitActsAndAnSmiStillWaits()
    {
        using Guest guest = SmmGuest.Create(Loop, Fail, irqchip: true);
        guest.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(1).Reason);
        var events = new kvm_vcpu_events { flags = Smm };
        events.smi.smm = 1;
        events.smi.pending = 1;
        events.smi.latched_init = 1;
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, guest.Vcpu.Run(100).Reason);
        events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(0, events.smi.smm);
        Assert.Equal(1, events.smi.pending);
        Assert.Equal(1, events.smi.latched_init);

        // The client takes the SMI back; the INIT acts.
        events.smi.pending = 0;
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Equal(KvmState.KVM_MP_STATE_RUNNABLE, guest.Vcpu.GetMpState().mp_state);
        Assert.Equal(0xFFF0ul, guest.Vcpu.GetRegs().rip);
        Assert.Equal(0xFFFF_0000ul, guest.Vcpu.GetSregs().cs.@base);
    }

    [Fact]
    public void AnInitForgetsALatchedSmiAndTheCountAndKeepsSmbase()
    {
        // KVM's order, in which the INIT comes first.
        using Guest guest = SmmGuest.Create(Loop, Return, irqchip: true, new VmOptions { Quirks = ProcessorQuirks.KvmInitSmi });
        kvm_msr_entry[] msrs = [new() { index = 0x9E, data = 0x3_8000 }, new() { index = 0x34, data = 7 }];
        Assert.Equal(2, guest.Vcpu.SetMsrs(msrs));
        var events = new kvm_vcpu_events { flags = Smm };
        events.smi.pending = events.smi.latched_init = 1;
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Equal(KvmState.KVM_MP_STATE_RUNNABLE, guest.Vcpu.GetMpState().mp_state);
        Assert.Equal(0xFFF0ul, guest.Vcpu.GetRegs().rip);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().smi.pending);
        Assert.Equal(2, guest.Vcpu.GetMsrs(msrs));
        Assert.Equal((0x3_8000ul, 0ul), (msrs[0].data, msrs[1].data));
    }

    [Fact]
    public void SmbaseIsNotTheGuestsToReadNorTheCountToWrite()
    {
        // mov ecx, 34h; rdmsr; out 10h, eax; then both that fault, through the vectors of real mode: 13 is at 2000h, out 13h, al.
        byte[] read = [0x66, 0xB9, 0x34, 0, 0, 0, 0x0F, 0x32, 0x66, 0xE7, 0x10];
        foreach (byte[] code in (byte[][])[[.. read, 0x0F, 0x30], [.. read, 0xB1, 0x9E, 0x0F, 0x32]])
        {
            using Guest guest = SmmGuest.Create(code, Return);
            guest.Write(13 * 4, [0, 0x20, 0, 0]);
            guest.Write(0x2000, [0xE6, 0x13]);
            guest.Vcpu.Smi();
            VcpuExit exit = guest.Vcpu.Run();
            Assert.Equal((0x10, 1u), (exit.Io.Port, (uint)exit.Io.Value));
            Assert.Equal(0x13, guest.Vcpu.Run().Io.Port);
        }
    }

    [Fact]
    public void Seed0_4_TheClientTracesTheFlagOnceForEachChange()
    {
        using Guest guest = SmmGuest.Create(Loop, Return);
        List<string> trace = [];
        guest.Vcpu.Trace = (name, text) => trace.Add($"{name} {text}");
        var events = new kvm_vcpu_events { flags = Smm };
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Empty(trace);
        events.smi.smm = 1;
        guest.Vcpu.SetVcpuEvents(events);
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Equal(["kvm_enter_smm vcpu 0: entering SMM, smbase 0x30000"], trace);
        events.smi.smm = 0;
        guest.Vcpu.SetVcpuEvents(events);
        Assert.Equal(2, trace.Count);
    }

    [Fact]
    public void G10_TogglingTheFlagSwitchesMemoryAtOnceAlsoUnderPaging()
    {
        // mov eax, [5000h]; hlt — in long mode with a warm TLB; the tables exist in both spaces, the data differ.
        using var guest = new Guest([0x8B, 0x04, 0x25, 0, 0x50, 0, 0, 0xF4]);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        guest.Vm.MapMemory(1 << 16, 0, guest.Vm.AllocateMemory(SmmGuest.Size));
        guest.Vm.WriteMemory(0, guest.Read(0, 0x5000), space: 1);
        guest.Vcpu.SetSregs(sregs);
        guest.Write(0x5000, [0x11]);
        guest.Vm.WriteMemory(0x5000, [0x22], space: 1);
        for (byte round = 0; round < 4; round++)
        {
            var events = new kvm_vcpu_events { flags = Smm };
            events.smi.smm = (byte)(round & 1);
            guest.Vcpu.SetVcpuEvents(events);
            guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rip = Guest.CodeAddress });
            VcpuExit exit = guest.Vcpu.Run();
            Assert.Equal(KvmExit.KVM_EXIT_HLT, exit.Reason);
            Assert.Equal(round % 2 == 1, exit.InSmm);
            Assert.Equal(round % 2 == 1 ? 0x22ul : 0x11, guest.Vcpu.GetRegs().rax);
        }
    }

    [Fact]
    public void G10_WhatAHandlerWithoutPagingTranslatedIsNotWhatTheClientsSmmSees()
    {
        // mov eax, [5000h]; hlt — in long mode, where 5000h is 6000h; outside, the handler reads 5000h without paging: mov eax, [dword 5000h]; rsm.
        const ulong Tables = 0x4000, Pages = 0x9000, Present = 7;
        using var guest = new Guest([0x8B, 0x04, 0x25, 0, 0x50, 0, 0, 0xF4]);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        guest.Write(Tables, BitConverter.GetBytes(Pages | Present));
        for (ulong page = 0; page < 16; page++)
        {
            guest.Write(Pages + (page * 8), BitConverter.GetBytes(((page == 5 ? 6 : page) << 12) | Present));
        }

        guest.Vm.MapMemory(1 << 16, 0, guest.Vm.AllocateMemory(SmmGuest.Size));
        guest.Vm.WriteMemory(0, guest.Read(0, (int)Guest.MemorySize), space: 1);
        guest.Vm.WriteMemory(SmmGuest.Handler, [0x67, 0x66, 0xA1, 0, 0x50, 0, 0, 0x0F, 0xAA], space: 1);
        guest.Vm.WriteMemory(0x5000, [0x55], space: 1);
        guest.Vm.WriteMemory(0x6000, [0x66], space: 1);
        guest.Vcpu.SetSregs(sregs);
        guest.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(1).Reason);
        Assert.Equal(0x55ul, guest.Vcpu.GetRegs().rax);
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(1).Reason);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().smi.smm);

        // The program's own access would take the place of the handler's translation.
        var events = new kvm_vcpu_events { flags = Smm };
        events.smi.smm = 1;
        guest.Vcpu.SetVcpuEvents(events);
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rip = Guest.CodeAddress });
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(0x66ul, guest.Vcpu.GetRegs().rax);
    }

    [Fact]
    public void G10_G11_TogglingTheFlagReadsThePdptesOfTheOtherMemory()
    {
        // mov eax, [205000h]; hlt — 2 MiB pages; the tables of the two spaces have their page directories at different places.
        const uint Pdpt = 0x2000, Large = 0x83;
        using var guest = new Guest([0xA1, 0, 0x50, 0x20, 0, 0xF4]);
        guest.Vm.MapMemory(1 << 16, 0, guest.Vm.AllocateMemory(SmmGuest.Size));
        guest.Vm.WriteMemory(0, guest.Read(0, (int)Guest.MemorySize), space: 1);
        for (int space = 0; space < 2; space++)
        {
            ulong directory = space == 0 ? 0x3000u : 0x4000;
            guest.Vm.WriteMemory(Pdpt, BitConverter.GetBytes(directory | 1), space);
            guest.Vm.WriteMemory(directory, [.. BitConverter.GetBytes((ulong)Large), .. BitConverter.GetBytes((ulong)Large)], space);
            guest.Vm.WriteMemory(0x5000, [(byte)(0x11 + space)], space);
        }

        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        guest.Write(Pdpt, BitConverter.GetBytes(0x3001ul));
        guest.Write(0x3000, [.. BitConverter.GetBytes((ulong)Large), .. BitConverter.GetBytes((ulong)Large)]);
        (sregs.cr3, sregs.efer, sregs.cs.l, sregs.cs.db) = (Pdpt, 0, 0, 1);
        guest.Vcpu.SetSregs(sregs);
        for (byte round = 0; round < 4; round++)
        {
            var events = new kvm_vcpu_events { flags = Smm };
            events.smi.smm = (byte)(round & 1);
            guest.Vcpu.SetVcpuEvents(events);
            guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rip = Guest.CodeAddress });
            Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
            Assert.Equal(0x11ul + events.smi.smm, guest.Vcpu.GetRegs().rax);
        }
    }

    [Fact]
    public void G12_AnSmiThatWasOnlyRequestedIsReported()
    {
        using Guest guest = SmmGuest.Create(Loop, Return);
        guest.Vcpu.Smi();
        guest.Vcpu.Smi();
        Assert.Equal(1, guest.Vcpu.GetVcpuEvents().smi.pending);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().smi.smm);
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(0).Reason);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().smi.pending);
        Assert.Equal(1, guest.Vcpu.GetVcpuEvents().smi.smm);
    }

    [Fact]
    public void G13_CpuidInTheHandlerSeesItsOwnCr4()
    {
        // cpuid with EAX = 1, ECX to port 10h: outside with CR4.OSXSAVE set, inside with CR4 = 0.
        byte[] code = [0x66, 0xB8, 1, 0, 0, 0, 0x0F, 0xA2, 0x66, 0x89, 0xC8, 0x66, 0xE7, 0x10];
        using Guest guest = SmmGuest.Create([.. code, .. code], [.. code, 0x0F, 0xAA]);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.cr4 |= 1 << 18;
        guest.Vcpu.SetSregs(sregs);
        List<bool> seen = [];
        for (int i = 0; i < 3; i++)
        {
            VcpuExit exit = guest.Vcpu.Run();
            Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
            seen.Add((exit.Io.Value >> 27 & 1) != 0);
            if (i == 0)
            {
                guest.Vcpu.Smi();
            }
        }

        Assert.Equal([true, false, true], seen);
    }

    [Fact]
    public void G14_SmmIsACapabilityWithTwoAddressSpaces()
    {
        using var kvm = Kvm.Open();
        Assert.Equal(1, kvm.CheckExtension(KvmCap.KVM_CAP_X86_SMM));
        Assert.Equal(2, kvm.CheckExtension(KvmCap.KVM_CAP_MULTI_ADDRESS_SPACE));
    }

    [Fact]
    public void G16_ATripleFaultInTheHandlerReportsTheFlagAsTheEventsDo()
    {
        using Guest guest = SmmGuest.Create(Loop, [0xCC]);
        guest.Vcpu.Smi();
        VcpuExit exit = guest.Vcpu.Run(100);
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, exit.Reason);
        Assert.Equal(exit.InSmm, guest.Vcpu.GetVcpuEvents().smi.smm != 0);
        Assert.Equal(0x8000ul, guest.Vcpu.GetRegs().rip);
    }

    [Fact]
    public void G17_AnSmiWaitsWhileTheProcessorWaitsForSipi()
    {
        using Guest guest = SmmGuest.Create(Loop, Return, irqchip: true);
        using Vcpu other = guest.Vm.CreateVcpu(1);
        other.SetMpState(new kvm_mp_state { mp_state = KvmState.KVM_MP_STATE_INIT_RECEIVED });
        other.Smi();

        // A kick would come before the processor looks at the SMI.
        other.LeavesWhenIdle = true;
        Assert.Equal(KvmExit.KVM_EXIT_HLT, other.Run(100).Reason);
        Assert.Equal(1, other.GetVcpuEvents().smi.pending);
        Assert.Equal(0, other.GetVcpuEvents().smi.smm);
        Assert.Equal(KvmState.KVM_MP_STATE_INIT_RECEIVED, other.GetMpState().mp_state);

        // Both orders of a restore that would put the two together are refused.
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => other.SetMpState(new kvm_mp_state { mp_state = KvmState.KVM_MP_STATE_INIT_RECEIVED })).Errno);
        var events = new kvm_vcpu_events { flags = Smm };
        events.smi.pending = 1;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => other.SetVcpuEvents(events)).Errno);
    }

    [Fact]
    public void Seed0_12_TheImageIsReadableByTheClient()
    {
        using Guest guest = SmmGuest.Create(Loop, Return);
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rax = 0x1122_3344_5566_7788 });
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.tr = new kvm_segment { selector = 0x1230, type = 11, present = 1, limit = 0x67, @base = 0x4567 };
        guest.Vcpu.SetSregs(sregs);
        guest.Vcpu.Smi();
        guest.Vcpu.Run(0);
        var image = new byte[512];
        guest.Vm.ReadMemory(SmmGuest.Image, image, space: 1);
        Assert.Equal(0x0002_0064u, BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(0xFC)));
        Assert.Equal(0x1122_3344_5566_7788ul, BinaryPrimitives.ReadUInt64LittleEndian(image.AsSpan(0x1F8)));
        Assert.Equal((0x1230, 0x8B), (BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(0x90)), BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(0x92))));
    }
}
