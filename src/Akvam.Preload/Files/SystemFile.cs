using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>An open <c>/dev/kvm</c>. VMs outlive it.</summary>
internal sealed class SystemFile(Descriptors descriptors) : KvmFile(descriptors)
{
    public Kvm Kvm { get; } = Kvm.Open(protectionKeys: ClientCpuid.SeesPkru());

    public override long Ioctl(uint request, ulong argument) => SystemIoctls.Table.Run(this, request, argument);

    public override void Close()
    {
    }

    /// <summary>KVM_CREATE_VM. [KVM 4.2]</summary>
    /// <exception cref="KvmException">EINVAL: a type that x86 has no use for.</exception>
    public long CreateVm(ulong type)
    {
        if (type != 0)
        {
            throw new KvmException(Errno.EINVAL, $"VM type {type}");
        }

        const int O_CLOEXEC = 0x80000;
        var file = new VmFile(Descriptors, Kvm.CreateVm());
        try
        {
            return Descriptors.Create("kvm-vm", O_CLOEXEC, FileKind.Vm, file);
        }
        catch
        {
            file.Release();
            throw;
        }
    }

    /// <summary>KVM_GET_MSRS without a vCPU: the values that describe a processor before anybody changed it.</summary>
    /// <returns>How many were read, up to the first that is not in KVM_GET_MSR_FEATURE_INDEX_LIST.</returns>
    public int GetFeatureMsrs(Span<kvm_msr_entry> entries)
    {
        uint[] features = Kvm.GetMsrFeatureIndexList();
        int known = 0;
        while (known < entries.Length && features.Contains(entries[known].index))
        {
            known++;
        }

        using Vm vm = Kvm.CreateVm();
        return vm.CreateVcpu().GetMsrs(entries[..known]);
    }
}
