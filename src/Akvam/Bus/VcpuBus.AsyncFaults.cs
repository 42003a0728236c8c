using Akvam.Abi;

namespace Akvam;

/// <content>
/// Asynchronous page faults: the guest says how it wants to hear that a page is not there yet. All of its memory is there whenever it touches it, the host's swapping being
/// waited for, so that it never does hear; what it asks for is kept, checked and migrated as in the kernel. [KVM msr.rst MSR_KVM_ASYNC_PF_EN]
/// </content>
internal sealed unsafe partial class VcpuBus
{
    private const ulong AsyncFaultsReserved = 3 << 4, AsyncFaultsFlags = 0x3F;

    private ulong _asyncFaultsMsr, _asyncFaultsVector;

    private bool SetAsyncFaults(ulong value)
    {
        // Exits of nested guests are not among the ways that are offered.
        if ((value & (AsyncFaultsReserved | KvmPara.KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT)) != 0 || (Lapic is null && value != 0))
        {
            return false;
        }

        ulong reason = 0;
        var bytes = new Span<byte>(&reason, sizeof(ulong));
        if ((value & KvmPara.KVM_ASYNC_PF_ENABLED) != 0 && !_vm.Memory.Read(0, value & ~AsyncFaultsFlags, bytes))
        {
            return false;
        }

        _asyncFaultsMsr = value;
        return true;
    }

    private bool SetAsyncFaultsVector(ulong value)
    {
        if (value > byte.MaxValue || Lapic is null)
        {
            return false;
        }

        _asyncFaultsVector = value;
        return true;
    }
}
