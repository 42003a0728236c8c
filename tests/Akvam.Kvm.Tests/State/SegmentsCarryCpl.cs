using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>There is no CPL in the ABI: SS.dpl is it, also where SS is unusable. semantics.md section 5; [APM2 15.5.1]</summary>
public sealed class SegmentsCarryCpl
{
    [Fact]
    public void RingThreeSurvivesANullStackSegment()
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
    public void APrivilegedInstructionFaultsAfterTheRoundTrip()
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
    public void PresentIsPresentAndNotUnusable(byte present, byte unusable, byte expected)
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
    public void AnUnusableSegmentKeepsItsFields()
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
}
