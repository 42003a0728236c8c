using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>The requests of a vCPU, but for KVM_RUN, which <see cref="VcpuFile"/> serves itself, and KVM_SET_SIGNAL_MASK, which the C library does.</summary>
internal static class VcpuIoctls
{
    public static readonly IoctlTable<VcpuFile> Table = new(
        Row<VcpuFile>.Set(KvmIoctl.KVM_ENABLE_CAP, static (VcpuFile file, in kvm_enable_cap cap) => file.Vcpu.EnableCap(in cap)),

        Row<VcpuFile>.Value(KvmIoctl.KVM_GET_STATS_FD, static (file, _) => file.Vm.GetStatsFd(file.Vcpu, "vcpu", file.Vcpu.StatsSize, file.Vcpu.MoveStats)),

        // Registers
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_REGS, static file => file.Vcpu.GetRegs()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_REGS, static (VcpuFile file, in kvm_regs regs) => file.Vcpu.SetRegs(in regs)),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_SREGS, static file => file.Vcpu.GetSregs()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_SREGS, static (VcpuFile file, in kvm_sregs sregs) => file.Vcpu.SetSregs(in sregs)),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_SREGS2, static file => file.Vcpu.GetSregs2()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_SREGS2, static (VcpuFile file, in kvm_sregs2 sregs) => file.Vcpu.SetSregs2(in sregs)),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_FPU, static file => file.Vcpu.GetFpu()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_FPU, static (VcpuFile file, in kvm_fpu fpu) => file.Vcpu.SetFpu(in fpu)),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_XSAVE, static file => file.Vcpu.GetXsave()),
        Row<VcpuFile>.Do(KvmIoctl.KVM_GET_XSAVE2, GetXsave2),
        Row<VcpuFile>.Do(KvmIoctl.KVM_SET_XSAVE, SetXsave),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_XCRS, static file => file.Vcpu.GetXcrs()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_XCRS, static (VcpuFile file, in kvm_xcrs xcrs) => file.Vcpu.SetXcrs(in xcrs)),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_DEBUGREGS, static file => file.Vcpu.GetDebugregs()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_DEBUGREGS, static (VcpuFile file, in kvm_debugregs regs) => file.Vcpu.SetDebugregs(in regs)),
        Row<VcpuFile>.Value(KvmIoctl.KVM_GET_MSRS, static (file, argument) => Arrays.GetMsrs(file.Client, argument, file.Vcpu.GetMsrs)),
        Row<VcpuFile>.Value(KvmIoctl.KVM_SET_MSRS, static (file, argument) => Arrays.SetMsrs(file.Client, argument, file.Vcpu.SetMsrs)),

        // What it is
        Row<VcpuFile>.Value(KvmIoctl.KVM_GET_CPUID2, static (file, argument) => Arrays.GetCpuid(file.Client, argument, file.Vcpu.GetCpuid2())),
        Row<VcpuFile>.Do(KvmIoctl.KVM_SET_CPUID2, static (file, argument) => file.Vcpu.SetCpuid2(Arrays.ReadCpuid(file.Client, argument))),
        Row<VcpuFile>.Value(KvmIoctl.KVM_GET_TSC_KHZ, static (file, _) => file.Vcpu.GetTscKhz()),
        Row<VcpuFile>.Do(KvmIoctl.KVM_SET_TSC_KHZ, static (file, argument) => file.Vcpu.SetTscKhz((uint)Math.Min(argument, uint.MaxValue))),
        Row<VcpuFile>.Do(KvmIoctl.KVM_KVMCLOCK_CTRL, static (file, _) => file.Vcpu.KvmclockCtrl()),

        Row<VcpuFile>.Exchange(KvmIoctl.KVM_TRANSLATE, static (VcpuFile file, ref kvm_translation translation) =>
        {
            translation = file.Vcpu.Translate(translation.linear_address);
            return 0;
        }),
        Row<VcpuFile>.Set(KvmIoctl.KVM_GET_DEVICE_ATTR, static (VcpuFile file, in kvm_device_attr attribute) =>
        {
            ulong value = file.Vcpu.GetDeviceAttr(attribute.group, attribute.attr);
            file.Client.Write(attribute.addr, in value);
        }),
        Row<VcpuFile>.Set(KvmIoctl.KVM_HAS_DEVICE_ATTR, static (VcpuFile file, in kvm_device_attr attribute) => file.Vcpu.GetDeviceAttr(attribute.group, attribute.attr)),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_DEVICE_ATTR, static (VcpuFile file, in kvm_device_attr attribute) =>
            file.Vcpu.SetDeviceAttr(attribute.group, attribute.attr, file.Client.Read<ulong>(attribute.addr))),

        // Events
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_VCPU_EVENTS, static file => file.Vcpu.GetVcpuEvents()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_VCPU_EVENTS, static (VcpuFile file, in kvm_vcpu_events events) => file.Vcpu.SetVcpuEvents(in events)),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_MP_STATE, static file => file.Vcpu.GetMpState()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_MP_STATE, static (VcpuFile file, in kvm_mp_state state) => file.Vcpu.SetMpState(in state)),
        Row<VcpuFile>.Set(KvmIoctl.KVM_INTERRUPT, static (VcpuFile file, in uint vector) => file.Vcpu.Interrupt(vector)),
        Row<VcpuFile>.Set(KvmIoctl.KVM_X86_SETUP_MCE, static (VcpuFile file, in ulong capabilities) => file.Vcpu.SetupMce(capabilities)),
        Row<VcpuFile>.Set(KvmIoctl.KVM_X86_SET_MCE, static (VcpuFile file, in kvm_x86_mce mce) => file.Vcpu.SetMce(in mce)),
        Row<VcpuFile>.Do(KvmIoctl.KVM_NMI, static (file, _) => file.Vcpu.Nmi()),
        Row<VcpuFile>.Do(KvmIoctl.KVM_SMI, static (file, _) => file.Vcpu.Smi()),
        Row<VcpuFile>.Do(KvmIoctl.KVM_GET_NESTED_STATE, Arrays.GetNestedState),
        Row<VcpuFile>.Do(KvmIoctl.KVM_SET_NESTED_STATE, Arrays.SetNestedState),
        Row<VcpuFile>.Get(KvmIoctl.KVM_GET_LAPIC, static file => file.Vcpu.GetLapic()),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_LAPIC, static (VcpuFile file, in kvm_lapic_state state) => file.Vcpu.SetLapic(in state)),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_VAPIC_ADDR, static (VcpuFile file, in kvm_vapic_addr address) => file.Vcpu.SetVapicAddr(address.vapic_addr)),
        Row<VcpuFile>.Exchange(KvmIoctl.KVM_TPR_ACCESS_REPORTING, static (VcpuFile file, ref kvm_tpr_access_ctl control) =>
        {
            file.Vcpu.SetTprAccessReporting(in control);
            return 0;
        }),
        Row<VcpuFile>.Set(KvmIoctl.KVM_SET_GUEST_DEBUG, static (VcpuFile file, in kvm_guest_debug debug) => file.Vcpu.SetGuestDebug(in debug)));

    private static void GetXsave2(VcpuFile file, ulong address)
    {
        var area = new byte[Vcpu.XsaveSize];
        file.Vcpu.GetXsave2(area);
        file.Client.Write(address, area.AsSpan());
    }

    private static void SetXsave(VcpuFile file, ulong address)
    {
        var area = new byte[Vcpu.XsaveSize];
        file.Client.Read(address, area.AsSpan());
        file.Vcpu.SetXsave(area);
    }
}
