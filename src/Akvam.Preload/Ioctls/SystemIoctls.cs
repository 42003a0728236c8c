using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>The requests of <c>/dev/kvm</c> itself.</summary>
internal static class SystemIoctls
{
    public static readonly IoctlTable<SystemFile> Table = new(
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_API_VERSION, static (_, argument) => argument != 0 ? -(long)Errno.EINVAL : Kvm.ApiVersion),
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_VCPU_MMAP_SIZE, static (_, argument) => argument != 0 ? -(long)Errno.EINVAL : Kvm.VcpuMmapSize),
        Row<SystemFile>.Value(KvmIoctl.KVM_CHECK_EXTENSION, static (file, argument) => argument > uint.MaxValue ? 0 : file.Kvm.CheckExtension((uint)argument)),
        Row<SystemFile>.Value(KvmIoctl.KVM_CREATE_VM, static (file, argument) => file.CreateVm(argument)),
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_SUPPORTED_CPUID, static (file, argument) => Arrays.GetCpuid(file.Client, argument, file.Kvm.GetSupportedCpuid())),
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_MSR_INDEX_LIST, static (file, argument) => Arrays.GetMsrList(file.Client, argument, file.Kvm.GetMsrIndexList())),
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_MSR_FEATURE_INDEX_LIST, static (file, argument) => Arrays.GetMsrList(file.Client, argument, file.Kvm.GetMsrFeatureIndexList())),
        Row<SystemFile>.Get(KvmIoctl.KVM_X86_GET_MCE_CAP_SUPPORTED, static _ => Vcpu.SupportedMceCapabilities),
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_EMULATED_CPUID, static (file, argument) => Arrays.GetCpuid(file.Client, argument, file.Kvm.GetEmulatedCpuid())),
        Row<SystemFile>.Set(KvmIoctl.KVM_GET_DEVICE_ATTR, static (SystemFile file, in kvm_device_attr attribute) =>
        {
            ulong value = file.Kvm.GetDeviceAttr(attribute.group, attribute.attr);
            file.Client.Write(attribute.addr, in value);
        }),
        Row<SystemFile>.Set(KvmIoctl.KVM_HAS_DEVICE_ATTR, static (SystemFile file, in kvm_device_attr attribute) => file.Kvm.GetDeviceAttr(attribute.group, attribute.attr)),
        Row<SystemFile>.Value(KvmIoctl.KVM_GET_MSRS, static (file, argument) => Arrays.GetMsrs(file.Client, argument, file.GetFeatureMsrs)));
}
