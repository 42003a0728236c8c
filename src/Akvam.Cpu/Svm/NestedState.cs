using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>
/// What a processor keeps while L2 runs: L2's control area, copied once by VMRUN so that nothing L1 does to its VMCB afterwards counts, and L1's own state,
/// which the next #VMEXIT loads. semantics.md 4.3, 4.4.
/// </summary>
/// <remarks>Valid because the memory is allocated with the object and freed in <see cref="Dispose"/>, when its processor runs no more.</remarks>
public sealed unsafe class NestedState : IDisposable
{
    private byte* _memory;

    internal NestedState() => _memory = (byte*)NativeMemory.AllocZeroed(VmcbControl.Size + VmcbSave.Size);

    /// <summary>L2's control area. Meaningful while <see cref="CpuState.GuestMode"/> is set.</summary>
    public VmcbControl* Control => (VmcbControl*)_memory;

    /// <summary>L1's registers at VMRUN. Meaningful while <see cref="CpuState.GuestMode"/> is set.</summary>
    public VmcbSave* Host => (VmcbSave*)(_memory + VmcbControl.Size);

    /// <summary>Guest-physical address of the VMCB that #VMEXIT writes to; 0 outside guest mode.</summary>
    public ulong Vmcb { get; internal set; }

    /// <summary>True when interrupts of the machine are taken by L1's IF, and L2's IF is for virtual interrupts alone. [APM2 15.21.1]</summary>
    public bool MasksInterrupts => (Control->VirtualInterrupt & VmcbControl.VInterruptMasking) != 0;

    /// <summary>How far L2's TSC is from L1's; 0 outside guest mode.</summary>
    public ulong TscOffset => Vmcb != 0 ? Control->TscOffset : 0;

    /// <summary>
    /// KVM_SET_NESTED_STATE: guest mode with L1's state <paramref name="host"/>; L2's registers are those of the processor and stay. False: VMRUN would have refused
    /// it, nothing is changed.
    /// </summary>
    public static bool TryRestore(CpuState* s, ulong vmcb, VmcbControl* control, VmcbSave* host, bool pending)
    {
        NestedState n = Processor.Of(s).Nested;
        VmcbCheck.Canonicalize(control);
        if (vmcb == 0 || (vmcb & (0xFFF | Processor.Of(s).Cpuid.ReservedAddressBits)) != 0 || !VmcbCheck.IsValid(s, control) || !VmcbCheck.IsValidHost(s, host))
        {
            return false;
        }

        Abandon(s);
        *n.Host = *host;
        Vmrun.Join(s, vmcb, control);
        if (pending && VmcbEvent.IsValid(control->InjectedEvent) && s->Delivering.Kind == EventKind.None)
        {
            s->Delivering = VmcbEvent.ToRecord(control->InjectedEvent, control->NextRip);
        }

        return true;
    }

    /// <summary>Leaves guest mode without a #VMEXIT, with L2's registers: the user took SVM or SMM away or gave.</summary>
    public static void Abandon(CpuState* s)
    {
        if (s->GuestMode != 0)
        {
            VmExit.Forget(s);
            Processor.UpdateMode(s);
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        _memory = null;
    }
}
