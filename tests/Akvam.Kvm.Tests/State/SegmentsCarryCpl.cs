using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>There is no CPL in the ABI: SS.dpl is it, also where SS is unusable. semantics.md section 5; [APM2 15.5.1]</summary>
public sealed class SegmentsCarryCpl
{
    [Fact]
    public void Seed4_1_RingThreeSurvivesANullStackSegment()
    {
        using var guest = new Guest([0xF4]);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl: 3, nullStack: true));
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        Assert.Equal(3, sregs.ss.dpl);
        Assert.Equal(1, sregs.ss.unusable);
        Assert.Equal(0, sregs.ss.present);

        guest.Vcpu.SetSregs(sregs);
        Assert.Equal(3, guest.Vcpu.GetSregs().ss.dpl);
    }

    [Fact]
    public void Seed4_1_APrivilegedInstructionFaultsAfterTheRoundTrip()
    {
        // HLT at CPL 3 raises #GP; without an IDT that is a triple fault.
        using var guest = new Guest([0xF4]);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl: 3, nullStack: true));
        guest.Vcpu.SetSregs(guest.Vcpu.GetSregs());
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, guest.Vcpu.Run().Reason);
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(1, 1, 0)]
    [InlineData(0, 0, 0)]
    [InlineData(0, 1, 0)]
    public void Seed4_4_Seed4_8_PresentIsPresentAndNotUnusable(byte present, byte unusable, byte expected)
    {
        using var guest = new Guest([0xF4]);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        sregs.fs.present = present;
        sregs.fs.unusable = unusable;
        guest.Vcpu.SetSregs(sregs);
        kvm_segment fs = guest.Vcpu.GetSregs().fs;
        Assert.Equal(expected, fs.present);
        Assert.Equal(1 - expected, fs.unusable);
    }

    [Fact]
    public void Seed4_3_AnUnusableSegmentKeepsItsFields()
    {
        using var guest = new Guest([0xF4]);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        sregs.gs = new kvm_segment { @base = 0x1234_5678, limit = 0x9ABC, selector = 0x53, type = 6, dpl = 2, s = 1, l = 1, avl = 1, unusable = 1 };
        guest.Vcpu.SetSregs(sregs);
        AbiAssert.Equal(sregs.gs, guest.Vcpu.GetSregs().gs);
    }

    [Fact]
    public void RealModeIsRingZeroWhateverSsSays()
    {
        using var guest = new Guest([0xF4]);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.ss.dpl = 3;
        guest.Vcpu.SetSregs(sregs);
        Assert.Equal(0, guest.Vcpu.GetSregs().ss.dpl);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Seed4_2_SetAndGetOfTheStackSegmentMirrorEachOther(byte cpl)
    {
        using var guest = new Guest([0xF4]);
        kvm_sregs set = LongMode.Sregs(guest, cpl: cpl);
        guest.Vcpu.SetSregs(set);
        kvm_sregs get = guest.Vcpu.GetSregs();
        Assert.Equal(cpl, get.ss.dpl);
        AbiAssert.Equal(set.ss, get.ss);
        guest.Vcpu.SetSregs(get);
        AbiAssert.Equal(get, guest.Vcpu.GetSregs());
        Assert.Equal(cpl == 0 ? KvmExit.KVM_EXIT_HLT : KvmExit.KVM_EXIT_SHUTDOWN, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void Seed4_5_GarbageInUnusableSegmentsChangesNothingForTheGuest()
    {
        // mov rax, rsp; push rax; pop rbx; mov [5000h], rbx; hlt: 64-bit mode looks at none of the unusable ones.
        byte[] code = [0x48, 0x89, 0xE0, 0x50, 0x5B, 0x48, 0x89, 0x1C, 0x25, 0, 0x50, 0, 0, 0xF4];
        var random = new Random(20170519);
        for (int n = 0; n < 30; n++)
        {
            using var guest = new Guest(code);
            kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
            Span<byte> garbage = MemoryMarshal.AsBytes(new Span<kvm_segment>(ref sregs.ds));
            random.NextBytes(garbage);
            (sregs.ds.unusable, sregs.ds.dpl) = (1, 0);
            sregs.es = sregs.ss = sregs.ds;
            guest.Vcpu.SetSregs(sregs);
            Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
            Assert.Equal(0x8000ul, guest.Vcpu.GetRegs().rbx);
            Assert.Equal([0, 0x80, 0, 0, 0, 0, 0, 0], guest.Read(0x5000, 8));
        }
    }

    [Fact]
    public unsafe void Seed4_6_TheAbiHasNoCplField() => Assert.Equal(24, sizeof(kvm_segment));

    [Fact]
    public void Seed4_7_TheClientReadsTheNewLevelNotTheOneItSet()
    {
        // Ring 3 with a null SS: INT3 goes to a ring 0 handler, in 64-bit mode again with a null SS.
        using var guest = new Guest([0xCC]);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 3, nullStack: true);
        sregs.gdt = new kvm_dtable { @base = 0x6000, limit = 0x1F };
        sregs.idt = new kvm_dtable { @base = 0x6100, limit = 0xFF };
        sregs.tr = new kvm_segment { @base = 0x6300, limit = 0x67, selector = 0x18, type = 11, present = 1 };
        guest.Write(0x6008, [0, 0, 0, 0, 0, 0x9B, 0x20, 0]);
        guest.Write(0x6130, [0x00, 0x70, 0x08, 0, 0, 0xEE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        guest.Write(0x6304, [0, 0x78, 0, 0, 0, 0, 0, 0]);
        guest.Write(0x7000, [0x90]);
        guest.Vcpu.SetSregs(sregs);
        Assert.Equal(3, guest.Vcpu.GetSregs().ss.dpl);
        guest.Vcpu.Run(1);
        Assert.Equal(0x7000ul, guest.Vcpu.GetRegs().rip);
        kvm_segment ss = guest.Vcpu.GetSregs().ss;
        Assert.Equal(0, ss.dpl);
        Assert.Equal(1, ss.unusable);
    }

    [Fact]
    public void Seed4_9_RandomSegmentsComeBackButForWhatTheProcessorFixes()
    {
        var random = new Random(4);
        using var guest = new Guest([0xF4]);
        kvm_sregs now = LongMode.Sregs(guest, cpl: 0);
        for (int n = 0; n < 300; n++)
        {
            kvm_sregs set = now;
            set.ds = Segment(random);
            set.fs = Segment(random);
            set.ss = Segment(random);
            set.ldt = Segment(random);
            set.tr = Segment(random);
            guest.Vcpu.SetSregs(set);
            kvm_sregs get = guest.Vcpu.GetSregs();
            AssertFixed(set.ds, get.ds, typeBits: 1);
            AssertFixed(set.fs, get.fs, typeBits: 1);
            AssertFixed(set.ldt, get.ldt, typeBits: 0);
            AssertFixed(set.tr, get.tr, typeBits: 2, always: true);
            if (get.ss.unusable != 0)
            {
                set.ss.db = 0;
            }

            AssertFixed(set.ss, get.ss, typeBits: 0);
            guest.Vcpu.SetSregs(get);
            AbiAssert.Equal(get, guest.Vcpu.GetSregs());
        }
    }

    private static kvm_segment Segment(Random random) => new()
    {
        @base = (ulong)random.NextInt64(),
        limit = (uint)random.NextInt64(),
        selector = (ushort)random.Next(),
        type = (byte)random.Next(16),
        present = (byte)random.Next(2),
        dpl = (byte)random.Next(4),
        db = (byte)random.Next(2),
        s = (byte)random.Next(2),
        l = (byte)random.Next(2),
        g = (byte)random.Next(2),
        avl = (byte)random.Next(2),
        unusable = (byte)random.Next(2),
    };

    private static void AssertFixed(kvm_segment set, kvm_segment get, byte typeBits, bool always = false)
    {
        set.present = (byte)(set.present & (1 - set.unusable));
        set.unusable = (byte)(1 - set.present);
        set.g = (byte)(set.limit > 0xFFFFF ? 1 : 0);
        set.type |= set.present != 0 || always ? typeBits : (byte)0;
        AbiAssert.Equal(set, get);
    }
}
