using Akvam.Abi;
using Akvam.Devices;

namespace Akvam;

/// <summary>What KVM_CHECK_EXTENSION answers: a capability is here only if it works.</summary>
internal static class Capabilities
{
    public static int Check(uint capability) => capability switch
    {
        // Memory
        KvmCap.KVM_CAP_USER_MEMORY or KvmCap.KVM_CAP_DESTROY_MEMORY_REGION_WORKS or KvmCap.KVM_CAP_JOIN_MEMORY_REGIONS_WORKS or KvmCap.KVM_CAP_SYNC_MMU
            or KvmCap.KVM_CAP_READONLY_MEM => 1,
        KvmCap.KVM_CAP_NR_MEMSLOTS => MemoryRegions.UserSlots,
        KvmCap.KVM_CAP_MULTI_ADDRESS_SPACE => Cpu.Memory.PhysicalMemory.Spaces,
        KvmCap.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 => (int)(KvmMemory.KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KvmMemory.KVM_DIRTY_LOG_INITIALLY_SET),

        KvmCap.KVM_CAP_DIRTY_LOG_RING or KvmCap.KVM_CAP_DIRTY_LOG_RING_ACQ_REL => (int)DirtyRing.MaxEntries * System.Runtime.CompilerServices.Unsafe.SizeOf<kvm_dirty_gfn>(),

        // Processors and their state
        KvmCap.KVM_CAP_NR_VCPUS => Math.Min(Environment.ProcessorCount, Vm.MaxVcpus),
        KvmCap.KVM_CAP_MAX_VCPUS => Vm.MaxVcpus,
        KvmCap.KVM_CAP_MAX_VCPU_ID => (int)Vm.MaxVcpuId,
        KvmCap.KVM_CAP_EXT_CPUID or KvmCap.KVM_CAP_MP_STATE or KvmCap.KVM_CAP_VCPU_EVENTS or KvmCap.KVM_CAP_DEBUGREGS or KvmCap.KVM_CAP_XCRS or KvmCap.KVM_CAP_SREGS2
            or KvmCap.KVM_CAP_X86_ROBUST_SINGLESTEP or KvmCap.KVM_CAP_SET_GUEST_DEBUG or KvmCap.KVM_CAP_INTR_SHADOW or KvmCap.KVM_CAP_EXCEPTION_PAYLOAD
            or KvmCap.KVM_CAP_X86_TRIPLE_FAULT_EVENT or KvmCap.KVM_CAP_SET_BOOT_CPU_ID => 1,
        KvmCap.KVM_CAP_SET_GUEST_DEBUG2 => (int)(KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_SINGLESTEP | KvmState.KVM_GUESTDBG_USE_SW_BP | KvmState.KVM_GUESTDBG_USE_HW_BP
            | KvmState.KVM_GUESTDBG_INJECT_DB | KvmState.KVM_GUESTDBG_INJECT_BP | KvmState.KVM_GUESTDBG_BLOCKIRQ),
        KvmCap.KVM_CAP_GET_MSR_FEATURES => 1,
        KvmCap.KVM_CAP_MCE => Cpu.Msr.MachineCheckBanks.MaxBanks,
        KvmCap.KVM_CAP_XSAVE => 1,
        KvmCap.KVM_CAP_XSAVE2 => Vcpu.XsaveSize,

        KvmCap.KVM_CAP_SYNC_REGS => (int)KvmExit.KVM_SYNC_X86_VALID_FIELDS,
        KvmCap.KVM_CAP_X86_USER_SPACE_MSR or KvmCap.KVM_CAP_X86_MSR_FILTER or KvmCap.KVM_CAP_EXT_EMUL_CPUID or KvmCap.KVM_CAP_VCPU_ATTRIBUTES
            or KvmCap.KVM_CAP_SYS_ATTRIBUTES => 1,

        KvmCap.KVM_CAP_BINARY_STATS_FD => 1,
        KvmCap.KVM_CAP_MMU_SHADOW_CACHE_CONTROL or KvmCap.KVM_CAP_MSR_PLATFORM_INFO or KvmCap.KVM_CAP_ENFORCE_PV_FEATURE_CPUID or KvmCap.KVM_CAP_DISABLE_QUIRKS
            or KvmCap.KVM_CAP_EXIT_ON_EMULATION_FAILURE => 1,
        KvmCap.KVM_CAP_DISABLE_QUIRKS2 => (int)Vm.KnownQuirks,

        // Running
        KvmCap.KVM_CAP_IMMEDIATE_EXIT or KvmCap.KVM_CAP_INTERNAL_ERROR_DATA or KvmCap.KVM_CAP_HLT or KvmCap.KVM_CAP_USER_NMI or KvmCap.KVM_CAP_X86_SMM => 1,

        // Exits spared
        KvmCap.KVM_CAP_IOEVENTFD or KvmCap.KVM_CAP_IOEVENTFD_NO_LENGTH or KvmCap.KVM_CAP_IOEVENTFD_ANY_LENGTH or KvmCap.KVM_CAP_COALESCED_PIO => 1,
        KvmCap.KVM_CAP_COALESCED_MMIO => (int)KvmApi.KVM_COALESCED_MMIO_PAGE_OFFSET,

        // Interrupts
        KvmCap.KVM_CAP_IRQCHIP or KvmCap.KVM_CAP_IRQ_INJECT_STATUS or KvmCap.KVM_CAP_SIGNAL_MSI or KvmCap.KVM_CAP_PIT2 or KvmCap.KVM_CAP_PIT_STATE2
            or KvmCap.KVM_CAP_REINJECT_CONTROL or KvmCap.KVM_CAP_SPLIT_IRQCHIP or KvmCap.KVM_CAP_IOAPIC_POLARITY_IGNORED or KvmCap.KVM_CAP_TSC_DEADLINE_TIMER => 1,
        KvmCap.KVM_CAP_VAPIC => 1,
        KvmCap.KVM_CAP_IRQFD or KvmCap.KVM_CAP_IRQFD_RESAMPLE => 1,
        KvmCap.KVM_CAP_IRQ_ROUTING => IrqRouter.MaxGsis,
        KvmCap.KVM_CAP_X2APIC_API => (int)(KvmIrq.KVM_X2APIC_API_USE_32BIT_IDS | KvmIrq.KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK),

        // Time
        KvmCap.KVM_CAP_CLOCKSOURCE or KvmCap.KVM_CAP_TSC_CONTROL or KvmCap.KVM_CAP_GET_TSC_KHZ or KvmCap.KVM_CAP_VM_TSC_CONTROL or KvmCap.KVM_CAP_KVMCLOCK_CTRL
            or KvmCap.KVM_CAP_NOP_IO_DELAY => 1,
        KvmCap.KVM_CAP_ADJUST_CLOCK => (int)(KvmState.KVM_CLOCK_TSC_STABLE | KvmState.KVM_CLOCK_REALTIME | KvmState.KVM_CLOCK_HOST_TSC),

        KvmCap.KVM_CAP_ASYNC_PF or KvmCap.KVM_CAP_ASYNC_PF_INT => 1,
        KvmCap.KVM_CAP_STEAL_TIME => HostStealTime.IsAvailable ? 1 : 0,

        // Addresses that only hardware needs, and the interface itself
        KvmCap.KVM_CAP_SET_TSS_ADDR or KvmCap.KVM_CAP_SET_IDENTITY_MAP_ADDR or KvmCap.KVM_CAP_ENABLE_CAP or KvmCap.KVM_CAP_ENABLE_CAP_VM
            or KvmCap.KVM_CAP_CHECK_EXTENSION_VM => 1,
        KvmCap.KVM_CAP_SMALLER_MAXPHYADDR => new VmOptions().EmulateSmallerAddresses ? 1 : 0,
        _ => 0,
    };
}
