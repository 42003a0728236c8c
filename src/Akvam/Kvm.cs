using Akvam.Abi;
using Akvam.Cpu.Cpuid;

namespace Akvam;

/// <summary>The system: what <c>/dev/kvm</c> is to a program. [KVM 4]</summary>
public sealed partial class Kvm : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Vm> _vms = [];
    private bool _disposed;

    private Kvm(bool nested, bool protectionKeys) => (Nested, ProtectionKeys) = (nested, protectionKeys);

    /// <summary>
    /// Guests can be hypervisors: SVM is in <see cref="GetSupportedCpuid"/>. As the kernel's module parameter of this name. There is no nested paging yet.
    /// </summary>
    public bool Nested { get; }

    /// <summary>Guests can have PKU. It has a component of the XSAVE area at a place of its own, which a client may not be able to know.</summary>
    public bool ProtectionKeys { get; }

    /// <summary>Opens the system. Several may be open at once; they share nothing.</summary>
    /// <param name="nested"><see cref="Nested"/>; null: nested=1 in AKVAM_PARAMETERS decides, as for <see cref="VmOptions"/>.</param>
    /// <param name="protectionKeys"><see cref="ProtectionKeys"/>.</param>
    public static Kvm Open(bool? nested = null, bool protectionKeys = true) => new(nested ?? VmOptions.ModuleParameter("nested") is "1" or "Y" or "y", protectionKeys);

    /// <summary>KVM_GET_API_VERSION.</summary>
    public static uint ApiVersion => KvmApi.KVM_API_VERSION;

    /// <summary>KVM_GET_VCPU_MMAP_SIZE, bytes: run page, port data page, ring of coalesced writes.</summary>
    public static int VcpuMmapSize => RunPage.Size;

    /// <summary>A VM without memory and processors. <see cref="Vm.Dispose"/> ends it, or <see cref="Dispose"/>.</summary>
    public Vm CreateVm(VmOptions? options = null)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var vm = new Vm(this, options ?? new VmOptions());
            _vms.Add(vm);
            return vm;
        }
    }

    /// <summary>0: not there; otherwise 1 or what the capability counts. [KVM 4.4]</summary>
    /// <param name="capability">One of <see cref="KvmCap"/>.</param>
    public int CheckExtension(uint capability) => capability == KvmCap.KVM_CAP_NESTED_STATE && Nested ? Vcpu.NestedStateSize : Capabilities.Check(capability);

    /// <summary>The processor's leaves.</summary>
    internal CpuidEntry[] Model => CpuidModel.Supported(Nested, ProtectionKeys);

    /// <summary>What KVM_SET_CPUID2 may offer a guest. [KVM 4.46]</summary>
    public kvm_cpuid_entry2[] GetSupportedCpuid() => SupportedCpuid.Get(Model);

    /// <summary>MSRs that belong to a vCPU's state. [KVM 4.3]</summary>
    public uint[] GetMsrIndexList() => MsrLists.State();

    /// <summary>MSRs that describe the processor that is offered rather than hold state. [KVM 4.3]</summary>
    public uint[] GetMsrFeatureIndexList() => MsrLists.Features();

    /// <summary>Ends every VM that is still there.</summary>
    public void Dispose()
    {
        Vm[] vms;
        lock (_gate)
        {
            _disposed = true;
            vms = [.. _vms];
        }

        foreach (Vm vm in vms)
        {
            vm.Dispose();
        }
    }

    internal void Remove(Vm vm)
    {
        lock (_gate)
        {
            _vms.Remove(vm);
        }
    }
}
