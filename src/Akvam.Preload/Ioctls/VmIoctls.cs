using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>The requests of a VM, but for the interrupt lines, which <see cref="VmFile"/> serves itself.</summary>
internal static class VmIoctls
{
    public static readonly IoctlTable<VmFile> Table = new(
        Row<VmFile>.Value(KvmIoctl.KVM_CHECK_EXTENSION, static (file, argument) => argument > uint.MaxValue ? 0 : file.Vm.CheckExtension((uint)argument)),
        Row<VmFile>.Value(KvmIoctl.KVM_CREATE_VCPU, static (file, argument) => file.CreateVcpu(argument)),
        Row<VmFile>.Set(KvmIoctl.KVM_ENABLE_CAP, static (VmFile file, in kvm_enable_cap cap) => file.Vm.EnableCap(in cap)),

        // Memory
        Row<VmFile>.Set(KvmIoctl.KVM_SET_USER_MEMORY_REGION, static (VmFile file, in kvm_userspace_memory_region region) => file.SetMemoryRegion(in region)),
        Row<VmFile>.Set(KvmIoctl.KVM_GET_DIRTY_LOG, static (VmFile file, in kvm_dirty_log log) => Arrays.GetDirtyLog(file, in log)),
        Row<VmFile>.Set(KvmIoctl.KVM_CLEAR_DIRTY_LOG, static (VmFile file, in kvm_clear_dirty_log log) => Arrays.ClearDirtyLog(file, in log)),
        Row<VmFile>.Do(KvmIoctl.KVM_SET_NR_MMU_PAGES, static (file, argument) => file.Vm.SetNrMmuPages((uint)Math.Min(argument, uint.MaxValue))),
        Row<VmFile>.Value(KvmIoctl.KVM_GET_NR_MMU_PAGES, static (file, _) => file.Vm.GetNrMmuPages()),
        Row<VmFile>.Do(KvmIoctl.KVM_SET_TSS_ADDR, static (file, argument) => file.Vm.SetTssAddr(argument)),
        Row<VmFile>.Set(KvmIoctl.KVM_SET_IDENTITY_MAP_ADDR, static (VmFile file, in ulong address) => file.Vm.SetIdentityMapAddr(address)),

        Row<VmFile>.Value(KvmIoctl.KVM_RESET_DIRTY_RINGS, static (file, _) => file.Vm.ResetDirtyRings()),
        Row<VmFile>.Value(KvmIoctl.KVM_GET_STATS_FD, static (file, _) => file.GetStatsFd(file.Vm, "vm", file.Vm.StatsSize, file.Vm.MoveStats)),

        // Interrupt controllers and the timer
        Row<VmFile>.Do(KvmIoctl.KVM_CREATE_IRQCHIP, static (file, _) => file.Vm.CreateIrqchip()),
        Row<VmFile>.Exchange(KvmIoctl.KVM_GET_IRQCHIP, static (VmFile file, ref kvm_irqchip chip) =>
        {
            chip = file.Vm.GetIrqchip(chip.chip_id);
            return 0;
        }),
        Row<VmFile>.Set(KvmIoctl.KVM_SET_IRQCHIP, static (VmFile file, in kvm_irqchip chip) => file.Vm.SetIrqchip(in chip)),
        Row<VmFile>.Do(KvmIoctl.KVM_CREATE_PIT, static (file, _) => file.Vm.CreatePit2(new kvm_pit_config { flags = KvmIrq.KVM_PIT_SPEAKER_DUMMY })),
        Row<VmFile>.Set(KvmIoctl.KVM_CREATE_PIT2, static (VmFile file, in kvm_pit_config config) => file.Vm.CreatePit2(in config)),
        Row<VmFile>.Get(KvmIoctl.KVM_GET_PIT2, static file => file.Vm.GetPit2()),
        Row<VmFile>.Set(KvmIoctl.KVM_SET_PIT2, static (VmFile file, in kvm_pit_state2 state) => file.Vm.SetPit2(in state)),
        Row<VmFile>.Set(KvmIoctl.KVM_REINJECT_CONTROL, static (VmFile file, in kvm_reinject_control control) => file.Vm.SetPitReinject(control.pit_reinject != 0)),
        Row<VmFile>.Do(KvmIoctl.KVM_SET_GSI_ROUTING, Arrays.SetGsiRouting),
        Row<VmFile>.Exchange(KvmIoctl.KVM_SIGNAL_MSI, static (VmFile file, ref kvm_msi msi) => file.Vm.SignalMsi(in msi) ? 1 : 0),
        Row<VmFile>.Do(KvmIoctl.KVM_SET_BOOT_CPU_ID, static (file, argument) => file.Vm.SetBootVcpuId((uint)Math.Min(argument, uint.MaxValue))),

        // Exits spared, and MSRs that the client answers
        Row<VmFile>.Set(KvmIoctl.KVM_IOEVENTFD, static (VmFile file, in kvm_ioeventfd request) => file.Vm.IoEventFd(in request)),
        Row<VmFile>.Set(KvmIoctl.KVM_IRQFD, static (VmFile file, in kvm_irqfd request) => file.Vm.IrqFd(in request)),
        Row<VmFile>.Set(KvmIoctl.KVM_REGISTER_COALESCED_MMIO, static (VmFile file, in kvm_coalesced_mmio_zone zone) => file.Vm.RegisterCoalesced(in zone)),
        Row<VmFile>.Set(KvmIoctl.KVM_UNREGISTER_COALESCED_MMIO, static (VmFile file, in kvm_coalesced_mmio_zone zone) => file.Vm.UnregisterCoalesced(in zone)),
        Row<VmFile>.Set(KvmIoctl.KVM_X86_SET_MSR_FILTER, static (VmFile file, in kvm_msr_filter filter) => Arrays.SetMsrFilter(file, in filter)),

        // Time
        Row<VmFile>.Get(KvmIoctl.KVM_GET_CLOCK, static file => file.Vm.GetClock()),
        Row<VmFile>.Set(KvmIoctl.KVM_SET_CLOCK, static (VmFile file, in kvm_clock_data clock) => file.Vm.SetClock(in clock)),
        Row<VmFile>.Do(KvmIoctl.KVM_SET_TSC_KHZ, static (file, argument) => file.Vm.SetTscKhz((uint)Math.Min(argument, uint.MaxValue))),
        Row<VmFile>.Value(KvmIoctl.KVM_GET_TSC_KHZ, static (file, _) => file.Vm.GetTscKhz()));
}
