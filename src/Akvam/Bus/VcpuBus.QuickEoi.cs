using Akvam.Abi;
using Akvam.Devices;

namespace Akvam;

/// <content>The end of an interrupt as a bit in the guest's memory, which spares it the write to the APIC. [KVM msr.rst MSR_KVM_PV_EOI_EN]</content>
internal sealed unsafe partial class VcpuBus
{
    private const ulong QuickEoiAlignment = 4;

    private ulong _quickEoiMsr;

    /// <summary>The guest has the bit, and may have cleared it since.</summary>
    private bool _quickEoiOffered;

    /// <summary>
    /// What the guest did in memory instead of in the APIC counts before anybody looks at that, on the vCPU's thread or while it does not run: if the guest cleared the bit its interrupt has ended; if not, the bit is taken back,
    /// and the guest will write to the APIC. Not at every exit, as in the kernel: what a guest executes would depend on when it is left.
    /// </summary>
    public void SettleMemory()
    {
        if (_priorityCopy != 0 && Lapic is { } lapic)
        {
            TakePriority(lapic);
        }

        if (!_quickEoiOffered)
        {
            return;
        }

        _quickEoiOffered = false;
        byte flag = 0;
        if (!_vm.Memory.Read(0, QuickEoiAddress, new Span<byte>(ref flag)))
        {
            return;
        }

        if ((flag & KvmPara.KVM_PV_EOI_MASK) == 0)
        {
            Lapic?.EndOfInterrupt();
        }
        else
        {
            WriteQuickEoi((byte)(flag & ~KvmPara.KVM_PV_EOI_MASK));
        }
    }

    private ulong QuickEoiAddress => _quickEoiMsr & ~KvmPara.KVM_MSR_ENABLED;

    /// <summary>An interrupt was taken. If only its own APIC has to know of its end, the guest may end it by the bit.</summary>
    private void OfferQuickEoi(Lapic lapic)
    {
        byte flag = 0;
        if ((_quickEoiMsr & KvmPara.KVM_MSR_ENABLED) != 0 && lapic.EndsUnnoticed && _vm.Memory.Read(0, QuickEoiAddress, new Span<byte>(ref flag)))
        {
            _quickEoiOffered = WriteQuickEoi((byte)(flag | KvmPara.KVM_PV_EOI_MASK));
        }
    }

    private bool WriteQuickEoi(byte flag) => _vm.Memory.Write(0, QuickEoiAddress, new ReadOnlySpan<byte>(in flag));

    private bool SetQuickEoi(ulong value)
    {
        ulong address = value & ~KvmPara.KVM_MSR_ENABLED;
        byte flag = 0;
        if (address % QuickEoiAlignment != 0 || ((value & KvmPara.KVM_MSR_ENABLED) != 0 && !_vm.Memory.Read(0, address, new Span<byte>(ref flag))))
        {
            return false;
        }

        SettleMemory();
        _quickEoiMsr = value;
        return true;
    }
}
