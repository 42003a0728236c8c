using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>A vCPU. Closing it changes nothing but that its VM may end.</summary>
internal sealed class VcpuFile(Descriptors descriptors, VmFile vm, Vcpu vcpu) : KvmFile(descriptors)
{
    public Vcpu Vcpu { get; } = vcpu;

    public VmFile Vm { get; } = vm;

    public override long Ioctl(uint request, ulong argument) => request != KvmIoctl.KVM_RUN ? VcpuIoctls.Table.Run(this, request, argument)
        : argument != 0 ? -(long)Errno.EINVAL
        : Vcpu.Run().Reason == KvmExit.KVM_EXIT_INTR ? -(long)Errno.EINTR
        : 0;

    public override void Close() => Vm.Release();
}
