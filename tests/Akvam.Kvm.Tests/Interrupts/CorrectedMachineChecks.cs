using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>[KVM 4.106] [SDM3 16.5] Errors that nobody has to act on raise an interrupt of their own, where the guest wants it.</summary>
public sealed class CorrectedMachineChecks
{
    private const ulong Capabilities = 1 << 24 | 1 << 10 | 1 << 8 | 32;
    private const uint Bank = 7, Control2 = 0x280 + Bank, Address = 0x400 + (4 * Bank) + 2;
    private const byte Vector = 0xA9;

    /// <summary>VAL, UC, EN, ADDRV, and none of PCC, S, AR.</summary>
    private const ulong Uncorrected = 1ul << 63 | 1ul << 61 | 1ul << 60 | 1ul << 58 | 0x10090;

    [Theory]
    [InlineData(1ul << 30, true)]
    [InlineData(0ul, false)]
    public void AnErrorWithoutActionIsAnInterrupt(ulong control2, bool told)
    {
        using var guest = new Guest([0xF4], irqchip: true);
        guest.Vcpu.SetupMce(Capabilities);
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = Control2, data = control2 }]));
        kvm_lapic_state lapic = guest.Vcpu.GetLapic();
        lapic.regs[0xF1] |= 1;
        lapic.regs[0x2F0] = Vector;
        lapic.regs[0x2F2] = 0;
        guest.Vcpu.SetLapic(in lapic);

        guest.Vcpu.SetMce(new kvm_x86_mce { bank = (byte)Bank, status = Uncorrected, addr = 0xDEAD_BEEF });
        Span<kvm_msr_entry> address = [new kvm_msr_entry { index = Address }];
        Assert.Equal(1, guest.Vcpu.GetMsrs(address));
        Assert.Equal(0xDEAD_BEEFul, address[0].data);
        lapic = guest.Vcpu.GetLapic();
        Assert.Equal(told, (lapic.regs[0x200 + (Vector / 32 * 16) + (Vector % 32 / 8)] & (1 << (Vector % 8))) != 0);
    }

    [Fact]
    public void ReservedBitsAndAMissingCapabilityAreRefused()
    {
        using var guest = new Guest([0xF4], irqchip: true);
        guest.Vcpu.SetupMce(Capabilities & ~(1ul << 10));
        Assert.Equal(0, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = Control2, data = 1 << 30 }]));
        guest.Vcpu.SetupMce(Capabilities);
        Assert.Equal(0, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = Control2, data = 1 << 29 }]));
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = Control2, data = 1 << 30 | 3 }]));
    }
}
